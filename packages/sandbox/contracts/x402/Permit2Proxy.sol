// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Lock} from "../common/Lock.sol";
import {ISignatureTransfer} from "../common/Permit2.sol";
import {Permit2Spender} from "./Permit2Spender.sol";

/// What the exact and the upto proxy have in common: they send money only where the signed witness says.
abstract contract Permit2Proxy is Permit2Spender, Lock {
    event Settled();
    event SettledWithPermit();

    error InvalidAmount();
    error InvalidDestination();
    error InvalidOwner();
    error PaymentTooEarly();

    constructor(address permit2) Permit2Spender(permit2) {}

    /// Moves `amount` of what was permitted, if who, where and when are in order. Permit2 checks the rest.
    function transfer(
        ISignatureTransfer.PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        address to,
        uint256 validAfter,
        bytes32 witness,
        string memory witnessType,
        bytes calldata signature
    ) internal {
        if (amount == 0) revert InvalidAmount();
        if (owner == address(0)) revert InvalidOwner();
        if (to == address(0)) revert InvalidDestination();
        if (block.timestamp < validAfter) revert PaymentTooEarly();
        PERMIT2.permitWitnessTransferFrom(
            permit,
            ISignatureTransfer.SignatureTransferDetails(to, amount),
            owner,
            witness,
            witnessType,
            signature
        );
    }
}
