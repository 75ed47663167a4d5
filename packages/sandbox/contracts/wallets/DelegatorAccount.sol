// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Delegator} from "../delegation/Delegator.sol";
import {Erc1271Delegate} from "./Erc1271Delegate.sol";

/// Code for an EIP-7702 account that answers ERC-1271 by its own key and obeys one delegation manager.
contract DelegatorAccount is Delegator, Erc1271Delegate {
    constructor(address manager) Delegator(manager) {}
}
