// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// Code for the account of a facilitator's own (EIP-7702): it makes many calls in one transaction of the account to itself, so that each is made
/// by the account. One that fails changes nothing for the others. It has no storage, no owner and no way in for anybody else.
contract SelfBatch {
    // In this order, so that no other code of the kind takes the gas for coin to be sent.
    struct Call {
        address target;
        bytes data;
        /// What the call may use at the most, and is sure to be given.
        uint256 gas;
    }

    error NotSelf();
    error NotEnoughGas();

    /// Looking at an account for the first time costs 2,600, and some is for what is around it.
    uint256 private constant COLD_ACCOUNT = 4_000;

    function executeBatch(Call[] calldata calls) external {
        if (msg.sender != address(this)) revert NotSelf();
        for (uint256 i = 0; i < calls.length; ++i) {
            Call calldata each = calls[i];
            address target = each.target;
            bytes calldata data = each.data;
            uint256 limit = each.gas;
            uint256 left = gasleft();
            // A call is given 63 of 64 parts at the most. With less than it was tried with it could fail for its company.
            if (left - left / 64 < limit + COLD_ACCOUNT) revert NotEnoughGas();
            assembly ("memory-safe") {
                let at := mload(0x40)
                calldatacopy(at, data.offset, data.length)
                // What it answers is not looked at, so it is not copied either, however long it is.
                pop(call(limit, target, 0, at, data.length, 0, 0))
            }
        }
    }

    receive() external payable {}
}
