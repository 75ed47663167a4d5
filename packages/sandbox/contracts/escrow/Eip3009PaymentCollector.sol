// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC3009, Tokens} from "../common/Tokens.sol";
import {PaymentInfo} from "./PaymentInfo.sol";
import {SignedPaymentCollector} from "./TokenCollector.sol";

/// Collects the whole maximum by EIP-3009 and gives back what is not asked for.
contract Eip3009PaymentCollector is SignedPaymentCollector {
    constructor(address escrow, address multicall) SignedPaymentCollector(escrow, multicall) {}

    /// `collectorData` is the signature.
    function collectTokens(
        PaymentInfo calldata paymentInfo,
        address tokenStore,
        uint256 amount,
        bytes calldata collectorData
    ) external onlyEscrow {
        address token = paymentInfo.token;
        bytes memory signature = unwrapped(collectorData);
        IERC3009(token).receiveWithAuthorization(
            paymentInfo.payer,
            address(this),
            paymentInfo.maxAmount,
            0,
            paymentInfo.preApprovalExpiry,
            payerAgnosticHash(paymentInfo),
            signature
        );
        if (paymentInfo.maxAmount > amount) Tokens.send(token, paymentInfo.payer, paymentInfo.maxAmount - amount);
        Tokens.send(token, tokenStore, amount);
    }
}
