// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ISignatureTransfer} from "../common/Permit2.sol";
import {PaymentInfo} from "./PaymentInfo.sol";
import {SignedPaymentCollector} from "./TokenCollector.sol";

/// Collects what is asked for by Permit2. There is no witness: the nonce says to whom the money goes.
contract Permit2PaymentCollector is SignedPaymentCollector {
    ISignatureTransfer public immutable permit2;

    constructor(address escrow, address permit2_, address multicall) SignedPaymentCollector(escrow, multicall) {
        permit2 = ISignatureTransfer(permit2_);
    }

    /// `collectorData` is the signature.
    function collectTokens(
        PaymentInfo calldata paymentInfo,
        address tokenStore,
        uint256 amount,
        bytes calldata collectorData
    ) external onlyEscrow {
        bytes memory signature = unwrapped(collectorData);
        permit2.permitTransferFrom(
            ISignatureTransfer.PermitTransferFrom(
                ISignatureTransfer.TokenPermissions(paymentInfo.token, paymentInfo.maxAmount),
                uint256(payerAgnosticHash(paymentInfo)),
                paymentInfo.preApprovalExpiry
            ),
            ISignatureTransfer.SignatureTransferDetails(tokenStore, amount),
            paymentInfo.payer,
            signature
        );
    }
}
