// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// Code for an EIP-7702 account that does not know ERC-1271: `isValidSignature` reverts.
contract PlainDelegate {
    receive() external payable {}
}
