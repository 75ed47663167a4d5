// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Eip712} from "../common/Eip712.sol";
import {Signatures} from "../common/Signatures.sol";
import {Delegator} from "./Delegator.sol";
import {ICaveatEnforcer} from "./Enforcers.sol";

/// What a manager of ERC-7710 is called with.
interface IDelegationManager {
    function redeemDelegations(
        bytes[] calldata permissionContexts,
        bytes32[] calldata modes,
        bytes[] calldata executionCallDatas
    ) external;
}

/// A limit of a delegation: `enforcer` says whether `terms` allow an execution. `args` are the redeemer's, and not signed.
struct Caveat {
    address enforcer;
    bytes terms;
    bytes args;
}

/// `delegator` lets `delegate` act within `caveats`, by its own account (`authority` all ones) or by the delegation with that hash.
struct Delegation {
    address delegate;
    address delegator;
    bytes32 authority;
    Caveat[] caveats;
    uint256 salt;
    bytes signature;
}

/// A delegation manager with the types, hashes and calls of the one in wide use, and the one hook that our enforcers have.
contract DelegationManager is IDelegationManager, Eip712 {
    event RedeemedDelegation(address indexed rootDelegator, address indexed redeemer, Delegation delegation);
    event DisabledDelegation(bytes32 indexed delegationHash, address indexed delegator, address indexed delegate, Delegation delegation);

    error BatchLengthMismatch();
    error DelegationDisabled();
    error InvalidAuthority();
    error InvalidDelegate();
    error InvalidDelegationSignature();
    error InvalidDelegator();

    bytes32 public constant ROOT_AUTHORITY = bytes32(type(uint256).max);
    address public constant ANY_DELEGATE = address(0xa11);

    bytes32 private constant CAVEAT_TYPEHASH = keccak256("Caveat(address enforcer,bytes terms)");
    bytes32 private constant DELEGATION_TYPEHASH = keccak256(
        "Delegation(address delegate,address delegator,bytes32 authority,Caveat[] caveats,uint256 salt)Caveat(address enforcer,bytes terms)"
    );

    mapping(bytes32 delegationHash => bool) public disabledDelegations;

    constructor() Eip712("DelegationManager", "1") {}

    /// Each context is `abi.encode(Delegation[])`, from the one that the redeemer holds to the one of the account that executes.
    function redeemDelegations(
        bytes[] calldata permissionContexts,
        bytes32[] calldata modes,
        bytes[] calldata executionCallDatas
    ) external {
        if (permissionContexts.length != modes.length || modes.length != executionCallDatas.length) {
            revert BatchLengthMismatch();
        }
        for (uint256 i = 0; i < modes.length; ++i) {
            redeem(abi.decode(permissionContexts[i], (Delegation[])), modes[i], executionCallDatas[i]);
        }
    }

    function disableDelegation(Delegation calldata delegation) external {
        if (msg.sender != delegation.delegator) revert InvalidDelegator();
        bytes32 hash = getDelegationHash(delegation);
        disabledDelegations[hash] = true;
        emit DisabledDelegation(hash, delegation.delegator, delegation.delegate, delegation);
    }

    /// What a delegation's `authority` names; with the domain, what its delegator signs.
    function getDelegationHash(Delegation memory delegation) public pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](delegation.caveats.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            Caveat memory caveat = delegation.caveats[i];
            hashes[i] = keccak256(abi.encode(CAVEAT_TYPEHASH, caveat.enforcer, keccak256(caveat.terms)));
        }
        bytes32 caveats = keccak256(abi.encodePacked(hashes));
        return keccak256(
            abi.encode(
                DELEGATION_TYPEHASH,
                delegation.delegate,
                delegation.delegator,
                delegation.authority,
                caveats,
                delegation.salt
            )
        );
    }

    function redeem(Delegation[] memory chain, bytes32 mode, bytes calldata execution) private {
        bytes32[] memory hashes = check(chain);
        for (uint256 i = 0; i < chain.length; ++i) {
            enforce(chain[i], hashes[i], mode, execution);
        }
        address root = chain[chain.length - 1].delegator;
        Delegator(root).executeFromExecutor(mode, execution);
        for (uint256 i = 0; i < chain.length; ++i) {
            emit RedeemedDelegation(root, msg.sender, chain[i]);
        }
    }

    /// Everybody in the chain has signed, for whoever comes before, by the authority of whoever comes after.
    function check(Delegation[] memory chain) private view returns (bytes32[] memory hashes) {
        if (chain.length == 0) revert InvalidAuthority();
        hashes = new bytes32[](chain.length);
        address holder = msg.sender;
        for (uint256 i = 0; i < chain.length; ++i) {
            Delegation memory delegation = chain[i];
            hashes[i] = getDelegationHash(delegation);
            if (delegation.delegate != holder && delegation.delegate != ANY_DELEGATE) revert InvalidDelegate();
            if (i > 0 && chain[i - 1].authority != hashes[i]) revert InvalidAuthority();
            if (disabledDelegations[hashes[i]]) revert DelegationDisabled();
            if (!Signatures.agrees(delegation.delegator, digestOf(hashes[i]), delegation.signature)) {
                revert InvalidDelegationSignature();
            }
            holder = delegation.delegator;
        }
        if (chain[chain.length - 1].authority != ROOT_AUTHORITY) revert InvalidAuthority();
    }

    function enforce(Delegation memory delegation, bytes32 hash, bytes32 mode, bytes calldata execution) private {
        for (uint256 i = 0; i < delegation.caveats.length; ++i) {
            Caveat memory caveat = delegation.caveats[i];
            ICaveatEnforcer(caveat.enforcer).beforeHook(
                caveat.terms, caveat.args, mode, execution, hash, delegation.delegator, msg.sender
            );
        }
    }
}
