// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDepositCollector} from "./BatchSettlement.sol";

/// A collector that serves one batch settlement contract and nobody else.
abstract contract DepositCollector is IDepositCollector {
    error OnlyX402BatchSettlement();

    address public immutable x402BatchSettlement;

    constructor(address settlement) {
        x402BatchSettlement = settlement;
    }

    modifier onlySettlement() {
        if (msg.sender != x402BatchSettlement) revert OnlyX402BatchSettlement();
        _;
    }
}
