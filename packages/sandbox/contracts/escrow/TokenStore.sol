// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Tokens} from "../common/Tokens.sol";

/// Holds what is authorized under one operator. Only the escrow that made it can take it out.
contract TokenStore {
    error OnlyEscrow();

    address private immutable escrow = msg.sender;

    function send(address token, address to, uint256 amount) external {
        if (msg.sender != escrow) revert OnlyEscrow();
        Tokens.send(token, to, amount);
    }
}
