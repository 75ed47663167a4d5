// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.17;

import {ERC20} from "./ERC20.sol";

/// The one function that Permit2's sources import from elsewhere. A call counts as done when it did not revert and
/// answered `true` or nothing. As on public chains, nobody asks whether there is code at the token's address.
library SafeTransferLib {
    function safeTransferFrom(ERC20 token, address from, address to, uint256 amount) internal {
        (bool done, bytes memory answer) = address(token).call(abi.encodeCall(ERC20.transferFrom, (from, to, amount)));
        bool agreed = answer.length == 0 || (answer.length >= 32 && uint256(bytes32(answer)) == 1);
        require(done && agreed, "TRANSFER_FROM_FAILED");
    }
}
