// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDelegationManager} from "./DelegationManager.sol";

/// Managers that an attacker would name in a payment.
contract HostileDelegationManager is IDelegationManager {
    enum Conduct {
        Idle, // says yes and moves nothing
        Reverting,
        BurningGas
    }

    error Refused();

    Conduct private immutable conduct;

    constructor(Conduct conduct_) {
        conduct = conduct_;
    }

    function redeemDelegations(bytes[] calldata, bytes32[] calldata, bytes[] calldata) external view {
        if (conduct == Conduct.Reverting) revert Refused();
        if (conduct == Conduct.BurningGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
    }
}
