// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {AuthCaptureEscrow, CollectorType, ITokenCollector} from "./AuthCaptureEscrow.sol";
import {PaymentInfo} from "./PaymentInfo.sol";

interface IMulticall3 {
    struct Call {
        address target;
        bytes callData;
    }

    function tryAggregate(bool requireSuccess, Call[] calldata calls) external payable;
}

/// A collector that serves one escrow and nobody else.
abstract contract TokenCollector is ITokenCollector {
    error OnlyAuthCaptureEscrow();

    AuthCaptureEscrow public immutable authCaptureEscrow;

    constructor(address escrow) {
        authCaptureEscrow = AuthCaptureEscrow(escrow);
    }

    modifier onlyEscrow() {
        if (msg.sender != address(authCaptureEscrow)) revert OnlyAuthCaptureEscrow();
        _;
    }

    /// The nonce that a payer signs: the payment's identity with no payer in it, which a server can know beforehand.
    function payerAgnosticHash(PaymentInfo memory paymentInfo) internal view returns (bytes32) {
        paymentInfo.payer = address(0);
        return authCaptureEscrow.getHash(paymentInfo);
    }
}

/// A collector of signed payments. A signature in an ERC-6492 envelope deploys its wallet first, through Multicall3,
/// so that what the payer names to be called is never called by the collector.
abstract contract SignedPaymentCollector is TokenCollector {
    bytes32 private constant ERC6492_MAGIC = 0x6492649264926492649264926492649264926492649264926492649264926492;

    IMulticall3 public immutable multicall3;

    constructor(address escrow, address multicall) TokenCollector(escrow) {
        multicall3 = IMulticall3(multicall);
    }

    function collectorType() external pure returns (CollectorType) {
        return CollectorType.Payment;
    }

    /// The signature itself, out of its envelope if it has one.
    function unwrapped(bytes calldata signature) internal returns (bytes memory inner) {
        if (signature.length < 32 || bytes32(signature[signature.length - 32:]) != ERC6492_MAGIC) return signature;
        IMulticall3.Call[] memory calls = new IMulticall3.Call[](1);
        (calls[0].target, calls[0].callData, inner) =
            abi.decode(signature[:signature.length - 32], (address, bytes, bytes));
        multicall3.tryAggregate(false, calls);
    }
}
