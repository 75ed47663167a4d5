// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Signatures} from "../common/Signatures.sol";

/// Code for an EIP-7702 account that answers ERC-1271: a signature is good when the account's own key made it.
contract Erc1271Delegate {
    bytes4 private constant REFUSED = 0xffffffff;

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return Signatures.madeBy(address(this), hash, signature) ? this.isValidSignature.selector : REFUSED;
    }

    receive() external payable {}
}
