// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ISignatureTransfer} from "../common/Permit2.sol";
import {DepositCollector} from "./DepositCollector.sol";
import {Permit2Spender} from "./Permit2Spender.sol";

/// Brings a deposit that the payer signed for Permit2, with the channel's id as witness.
contract Permit2DepositCollector is DepositCollector, Permit2Spender {
    bytes32 public constant DEPOSIT_WITNESS_TYPEHASH = keccak256("DepositWitness(bytes32 channelId)");
    string public constant DEPOSIT_WITNESS_TYPE_STRING =
        "DepositWitness witness)DepositWitness(bytes32 channelId)TokenPermissions(address token,uint256 amount)";

    constructor(address settlement, address permit2) DepositCollector(settlement) Permit2Spender(permit2) {}

    /// `collectorData` is `(uint256 nonce, uint256 deadline, bytes permit2Signature, bytes eip2612Data)`; the last is
    /// empty or `(uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)`.
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata collectorData)
        external
        onlySettlement
    {
        (uint256 nonce, uint256 deadline, bytes memory signature, bytes memory eip2612Data) =
            abi.decode(collectorData, (uint256, uint256, bytes, bytes));
        if (eip2612Data.length > 0) allow(token, payer, amount, decodePermit(eip2612Data));
        PERMIT2.permitWitnessTransferFrom(
            ISignatureTransfer.PermitTransferFrom(ISignatureTransfer.TokenPermissions(token, amount), nonce, deadline),
            ISignatureTransfer.SignatureTransferDetails(msg.sender, amount),
            payer,
            keccak256(abi.encode(DEPOSIT_WITNESS_TYPEHASH, channelId)),
            DEPOSIT_WITNESS_TYPE_STRING,
            signature
        );
    }

    function decodePermit(bytes memory data) private pure returns (EIP2612Permit memory permit) {
        (permit.value, permit.deadline, permit.v, permit.r, permit.s) =
            abi.decode(data, (uint256, uint256, uint8, bytes32, bytes32));
    }
}
