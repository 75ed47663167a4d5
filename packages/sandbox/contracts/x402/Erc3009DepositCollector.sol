// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC3009, Tokens} from "../common/Tokens.sol";
import {DepositCollector} from "./DepositCollector.sol";

/// Brings a deposit that the payer authorized by EIP-3009. The authorization's nonce is made of the channel's id, so
/// that it opens this channel and no other.
contract Erc3009DepositCollector is DepositCollector {
    constructor(address settlement) DepositCollector(settlement) {}

    /// `collectorData` is `(uint256 validAfter, uint256 validBefore, uint256 salt, bytes signature)`.
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata collectorData)
        external
        onlySettlement
    {
        (uint256 validAfter, uint256 validBefore, uint256 salt, bytes memory signature) =
            abi.decode(collectorData, (uint256, uint256, uint256, bytes));
        bytes32 nonce = keccak256(abi.encode(channelId, salt));
        IERC3009(token).receiveWithAuthorization(
            payer, address(this), amount, validAfter, validBefore, nonce, signature
        );
        Tokens.send(token, msg.sender, amount);
    }
}
