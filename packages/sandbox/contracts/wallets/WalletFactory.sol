// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Wallet} from "./Wallet.sol";

/// Deploys wallets at addresses that are known before: an ERC-6492 signature names it and what to call.
contract WalletFactory {
    event AccountCreated(address indexed account, address indexed owner, uint256 salt);

    /// Deploys the owner's wallet, or returns the one that is there.
    function createAccount(address owner, uint256 salt) external returns (address account) {
        account = getAddress(owner, salt);
        if (account.code.length > 0) return account;
        new Wallet{salt: bytes32(salt)}(owner, address(0));
        emit AccountCreated(account, owner, salt);
    }

    /// Where `createAccount` puts the wallet, whether it is there or not.
    function getAddress(address owner, uint256 salt) public view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(Wallet).creationCode, abi.encode(owner, address(0))));
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(this), salt, code)))));
    }
}
