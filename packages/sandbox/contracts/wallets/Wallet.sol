// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Delegator} from "../delegation/Delegator.sol";
import {Signatures} from "../common/Signatures.sol";

/// A contract wallet of one key: ERC-1271 answers for its owner, and the owner may make it do anything.
contract Wallet is Delegator {
    error NotOwner();

    bytes4 private constant REFUSED = 0xffffffff;

    address public immutable owner;

    constructor(address owner_, address manager) Delegator(manager) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return Signatures.madeBy(owner, hash, signature) ? this.isValidSignature.selector : REFUSED;
    }

    function execute(address target, uint256 value, bytes calldata data) external returns (bytes memory) {
        if (msg.sender != owner) revert NotOwner();
        return call(target, value, data);
    }

    receive() external payable {}
}
