// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// Code for an EIP-7702 account that answers ERC-1271: a signature is good when the account's own key made it.
contract Erc1271Delegate {
    bytes4 private constant REFUSED = 0xffffffff;

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return REFUSED;
        address signer =
            ecrecover(hash, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
        return signer == address(this) ? this.isValidSignature.selector : REFUSED;
    }

    receive() external payable {}
}
