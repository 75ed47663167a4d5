// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Eip712} from "../common/Eip712.sol";
import {Signatures} from "../common/Signatures.sol";
import {PlainToken} from "./PlainToken.sol";

/// An ERC-20 with EIP-2612, for allowances that are signed. The version of its typed data is "1".
contract PermitToken is PlainToken, Eip712 {
    error ERC2612ExpiredSignature(uint256 deadline);
    error ERC2612InvalidSigner(address signer, address owner);

    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    string public constant version = "1";
    mapping(address owner => uint256) public nonces;

    constructor(string memory name_, string memory symbol_) PlainToken(name_, symbol_) Eip712(name_, "1") {}

    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return domainSeparator();
    }

    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        if (block.timestamp > deadline) revert ERC2612ExpiredSignature(deadline);
        bytes32 hash = digestOf(keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, nonces[owner]++, deadline)));
        address signer = Signatures.recover(hash, abi.encodePacked(r, s, v));
        if (signer != owner) revert ERC2612InvalidSigner(signer, owner);
        setAllowance(owner, spender, value);
    }
}
