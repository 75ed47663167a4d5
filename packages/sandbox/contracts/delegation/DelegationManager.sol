// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Eip712} from "../common/Eip712.sol";
import {Signatures} from "../common/Signatures.sol";
import {IERC20} from "../common/Tokens.sol";
import {Delegator} from "./Delegator.sol";

/// What a manager of ERC-7710 is called with.
interface IDelegationManager {
    function redeemDelegations(
        bytes[] calldata permissionContexts,
        bytes32[] calldata modes,
        bytes[] calldata executionCallDatas
    ) external;
}

/// A small delegation manager: an account lets a delegate send so much of one token to one payee, until some time.
contract DelegationManager is IDelegationManager, Eip712 {
    /// `delegate` zero means anybody. `maxAmount` is for all redemptions together.
    struct Delegation {
        address delegate;
        address delegator;
        address token;
        address payee;
        uint256 maxAmount;
        uint256 expiry;
        uint256 salt;
    }

    event RedeemedDelegation(bytes32 indexed delegationHash, address indexed delegator, address indexed redeemer, uint256 amount);
    event DisabledDelegation(bytes32 indexed delegationHash, address indexed delegator);

    error BatchLengthMismatch();
    error DelegationDisabled();
    error DelegationExpired();
    error ExecutionNotAllowed();
    error ExceedsDelegatedAmount(uint256 left, uint256 requested);
    error InvalidDelegate();
    error InvalidDelegator();
    error InvalidDelegationSignature();

    bytes32 public constant DELEGATION_TYPEHASH = keccak256(
        "Delegation(address delegate,address delegator,address token,address payee,uint256 maxAmount,uint256 expiry,uint256 salt)"
    );

    mapping(bytes32 delegationHash => uint256) public spent;
    mapping(bytes32 delegationHash => bool) public disabled;

    constructor() Eip712("Groat Sandbox Delegation Manager", "1") {}

    /// Each context is `abi.encode(Delegation, bytes signature)`, each execution one packed ERC-20 `transfer`.
    function redeemDelegations(
        bytes[] calldata permissionContexts,
        bytes32[] calldata modes,
        bytes[] calldata executionCallDatas
    ) external {
        if (permissionContexts.length != modes.length || modes.length != executionCallDatas.length) {
            revert BatchLengthMismatch();
        }
        for (uint256 i = 0; i < modes.length; ++i) {
            redeem(permissionContexts[i], modes[i], executionCallDatas[i]);
        }
    }

    function disableDelegation(Delegation calldata delegation) external {
        if (msg.sender != delegation.delegator) revert InvalidDelegator();
        bytes32 hash = getDelegationHash(delegation);
        disabled[hash] = true;
        emit DisabledDelegation(hash, msg.sender);
    }

    /// The digest that a delegator signs.
    function getDelegationHash(Delegation memory delegation) public view returns (bytes32) {
        return digestOf(keccak256(abi.encode(DELEGATION_TYPEHASH, delegation)));
    }

    function redeem(bytes calldata context, bytes32 mode, bytes calldata execution) private {
        (Delegation memory delegation, bytes memory signature) = abi.decode(context, (Delegation, bytes));
        bytes32 hash = getDelegationHash(delegation);
        if (delegation.delegate != address(0) && delegation.delegate != msg.sender) revert InvalidDelegate();
        if (block.timestamp > delegation.expiry) revert DelegationExpired();
        if (disabled[hash]) revert DelegationDisabled();
        if (!Signatures.agrees(delegation.delegator, hash, signature)) revert InvalidDelegationSignature();

        uint256 amount = transferOf(delegation, execution);
        uint256 left = delegation.maxAmount - spent[hash];
        if (amount > left) revert ExceedsDelegatedAmount(left, amount);
        spent[hash] += amount;
        Delegator(delegation.delegator).executeFromExecutor(mode, execution);
        emit RedeemedDelegation(hash, delegation.delegator, msg.sender, amount);
    }

    /// The amount of the one execution that a delegation allows: `token.transfer(payee, amount)` without ether.
    function transferOf(Delegation memory delegation, bytes calldata execution) private pure returns (uint256) {
        if (execution.length != 120) revert ExecutionNotAllowed();
        (address payee, uint256 amount) = abi.decode(execution[56:], (address, uint256));
        bool allowed = address(bytes20(execution[0:20])) == delegation.token && bytes32(execution[20:52]) == 0
            && bytes4(execution[52:56]) == IERC20.transfer.selector && payee == delegation.payee;
        if (!allowed) revert ExecutionNotAllowed();
        return amount;
    }
}
