// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "../common/Tokens.sol";

/// Reverts when the terms of a caveat do not allow an execution. Called by the manager, before it executes.
interface ICaveatEnforcer {
    function beforeHook(
        bytes calldata terms,
        bytes calldata args,
        bytes32 mode,
        bytes calldata execution,
        bytes32 delegationHash,
        address delegator,
        address redeemer
    ) external;
}

error DelegationExpired();
error ExceedsDelegatedAmount(uint256 left, uint256 requested);
error ExceedsPaymentLimit(uint256 limit, uint256 requested);
error ExceedsPeriodAmount(uint256 left, uint256 requested);
error ExecutionNotAllowed();
error PayeeNotAllowed(address payee);
error UnsupportedMode(bytes32 mode);

/// Executions that are one `transfer` of a token without ether: packed target, value and call data.
library Transfers {
    function read(bytes32 mode, bytes calldata execution) internal pure returns (address token, uint256 amount) {
        if (mode != 0) revert UnsupportedMode(mode);
        bool isTransfer = execution.length == 120 && bytes32(execution[20:52]) == 0
            && bytes4(execution[52:56]) == IERC20.transfer.selector;
        if (!isTransfer) revert ExecutionNotAllowed();
        return (address(bytes20(execution[0:20])), uint256(bytes32(execution[88:120])));
    }
}

/// Terms: token (20 bytes) and the most that may leave in all (32 bytes).
contract Erc20TransferAmountEnforcer is ICaveatEnforcer {
    mapping(address manager => mapping(bytes32 delegationHash => uint256)) public spentMap;

    function beforeHook(
        bytes calldata terms,
        bytes calldata,
        bytes32 mode,
        bytes calldata execution,
        bytes32 delegationHash,
        address,
        address
    ) external {
        (address token, uint256 amount) = Transfers.read(mode, execution);
        if (terms.length != 52 || token != address(bytes20(terms[0:20]))) revert ExecutionNotAllowed();
        uint256 spent = spentMap[msg.sender][delegationHash];
        uint256 left = uint256(bytes32(terms[20:52])) - spent;
        if (amount > left) revert ExceedsDelegatedAmount(left, amount);
        spentMap[msg.sender][delegationHash] = spent + amount;
    }
}

/// Terms: the most that one transfer may move (32 bytes), of whatever token.
contract Erc20PaymentLimitEnforcer is ICaveatEnforcer {
    function beforeHook(
        bytes calldata terms,
        bytes calldata,
        bytes32 mode,
        bytes calldata execution,
        bytes32,
        address,
        address
    ) external pure {
        (, uint256 amount) = Transfers.read(mode, execution);
        if (terms.length != 32) revert ExecutionNotAllowed();
        uint256 limit = uint256(bytes32(terms));
        if (amount > limit) revert ExceedsPaymentLimit(limit, amount);
    }
}

/// Terms: token (20 bytes), the most that may leave in one period, its seconds, and when the first begins (32 bytes each). Each period begins anew.
contract Erc20PeriodTransferEnforcer is ICaveatEnforcer {
    struct Taken {
        uint256 period;
        uint256 amount;
    }

    mapping(address manager => mapping(bytes32 delegationHash => Taken)) public taken;

    function beforeHook(
        bytes calldata terms,
        bytes calldata,
        bytes32 mode,
        bytes calldata execution,
        bytes32 delegationHash,
        address,
        address
    ) external {
        (address token, uint256 amount) = Transfers.read(mode, execution);
        if (terms.length != 116 || token != address(bytes20(terms[0:20]))) revert ExecutionNotAllowed();
        uint256 limit = uint256(bytes32(terms[20:52]));
        uint256 length = uint256(bytes32(terms[52:84]));
        uint256 start = uint256(bytes32(terms[84:116]));
        if (length == 0 || start == 0 || block.timestamp < start) revert ExecutionNotAllowed();
        // Counted from 1, so that nothing was taken in a period that never was.
        uint256 period = (block.timestamp - start) / length + 1;
        Taken storage before = taken[msg.sender][delegationHash];
        uint256 spent = before.period == period ? before.amount : 0;
        if (amount > limit - spent) revert ExceedsPeriodAmount(limit - spent, amount);
        before.period = period;
        before.amount = spent + amount;
    }
}

/// Terms: who may be paid (20 bytes each).
contract Erc20PayeesEnforcer is ICaveatEnforcer {
    function beforeHook(
        bytes calldata terms,
        bytes calldata,
        bytes32 mode,
        bytes calldata execution,
        bytes32,
        address,
        address
    ) external pure {
        Transfers.read(mode, execution);
        if (terms.length == 0 || terms.length % 20 != 0) revert ExecutionNotAllowed();
        // Twelve bytes stand before an address in a word; what else is in them is no address.
        if (bytes12(execution[56:68]) != 0) revert ExecutionNotAllowed();
        address payee = address(bytes20(execution[68:88]));
        for (uint256 at = 0; at < terms.length; at += 20) {
            if (address(bytes20(terms[at:at + 20])) == payee) return;
        }
        revert PayeeNotAllowed(payee);
    }
}

/// Terms: strictly after, strictly before, in seconds (16 bytes each); zero sets no bound.
contract TimestampEnforcer is ICaveatEnforcer {
    function beforeHook(
        bytes calldata terms,
        bytes calldata,
        bytes32,
        bytes calldata,
        bytes32,
        address,
        address
    ) external view {
        if (terms.length != 32) revert ExecutionNotAllowed();
        uint256 beginning = uint128(bytes16(terms[0:16]));
        uint256 end = uint128(bytes16(terms[16:32]));
        bool inTime = (beginning == 0 || block.timestamp > beginning) && (end == 0 || block.timestamp < end);
        if (!inTime) revert DelegationExpired();
    }
}

/// Terms: where in the call data (32 bytes), and what must stand there.
contract AllowedCalldataEnforcer is ICaveatEnforcer {
    function beforeHook(
        bytes calldata terms,
        bytes calldata,
        bytes32 mode,
        bytes calldata execution,
        bytes32,
        address,
        address
    ) external pure {
        if (mode != 0) revert UnsupportedMode(mode);
        if (terms.length < 33 || execution.length < 52) revert ExecutionNotAllowed();
        bytes calldata data = execution[52:];
        uint256 at = uint256(bytes32(terms[0:32]));
        uint256 length = terms.length - 32;
        if (at > data.length || length > data.length - at) revert ExecutionNotAllowed();
        if (keccak256(data[at:at + length]) != keccak256(terms[32:])) revert ExecutionNotAllowed();
    }
}
