// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// The terms of one payment, which its payer signs through the nonce of a token authorization.
struct PaymentInfo {
    address operator;
    address payer;
    address receiver;
    address token;
    uint120 maxAmount;
    uint48 preApprovalExpiry;
    uint48 authorizationExpiry;
    uint48 refundExpiry;
    uint16 minFeeBps;
    uint16 maxFeeBps;
    address feeReceiver;
    uint256 salt;
}
