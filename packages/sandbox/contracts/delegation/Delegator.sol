// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Tokens} from "../common/Tokens.sol";

/// An account that does what its delegation manager tells it (`executeFromExecutor` of ERC-7579).
abstract contract Delegator {
    error NotDelegationManager();
    error UnsupportedMode(bytes32 mode);

    address public immutable delegationManager;

    constructor(address manager) {
        delegationManager = manager;
    }

    /// The one mode is all zero: a single call, whose failure reverts. `execution` is packed: target, value, data.
    function executeFromExecutor(bytes32 mode, bytes calldata execution) external returns (bytes[] memory results) {
        if (msg.sender != delegationManager) revert NotDelegationManager();
        if (mode != 0) revert UnsupportedMode(mode);
        results = new bytes[](1);
        results[0] = call(address(bytes20(execution[0:20])), uint256(bytes32(execution[20:52])), execution[52:]);
    }

    function call(address target, uint256 value, bytes calldata data) internal returns (bytes memory answer) {
        bool done;
        (done, answer) = target.call{value: value}(data);
        if (!done) Tokens.bubble(answer);
    }
}
