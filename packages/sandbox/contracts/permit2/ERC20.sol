// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.17;

/// The name under which Permit2's sources import a token. Ours, so that no AGPL code is compiled in.
interface ERC20 {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}
