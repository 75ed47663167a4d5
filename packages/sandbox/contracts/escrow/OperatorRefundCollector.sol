// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Tokens} from "../common/Tokens.sol";
import {CollectorType} from "./AuthCaptureEscrow.sol";
import {PaymentInfo} from "./PaymentInfo.sol";
import {TokenCollector} from "./TokenCollector.sol";

/// Brings a refund out of the operator's own tokens, by its ordinary allowance.
contract OperatorRefundCollector is TokenCollector {
    constructor(address escrow) TokenCollector(escrow) {}

    function collectorType() external pure returns (CollectorType) {
        return CollectorType.Refund;
    }

    function collectTokens(PaymentInfo calldata paymentInfo, address tokenStore, uint256 amount, bytes calldata)
        external
        onlyEscrow
    {
        Tokens.pull(paymentInfo.token, paymentInfo.operator, tokenStore, amount);
    }
}
