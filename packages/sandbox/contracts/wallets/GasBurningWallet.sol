// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// A contract payer whose ERC-1271 answer takes all the gas there is.
contract GasBurningWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly ("memory-safe") {
            invalid()
        }
    }
}
