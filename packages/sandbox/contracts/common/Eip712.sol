// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// Typed data of a contract that has a name and a version, for the address and the chain its constructor runs at.
abstract contract Eip712 {
    bytes32 private immutable separator;

    constructor(string memory name, string memory version) {
        separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                block.chainid,
                address(this)
            )
        );
    }

    function domainSeparator() internal view returns (bytes32) {
        return separator;
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }
}
