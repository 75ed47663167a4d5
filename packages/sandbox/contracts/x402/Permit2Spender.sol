// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ISignatureTransfer} from "../common/Permit2.sol";
import {IERC2612} from "../common/Tokens.sol";

/// A contract that payers name as the spender in a Permit2 signature, and that can give Permit2 its allowance first.
abstract contract Permit2Spender {
    /// An EIP-2612 permit that lets Permit2 take what the payment takes.
    struct EIP2612Permit {
        uint256 value;
        uint256 deadline;
        bytes32 r;
        bytes32 s;
        uint8 v;
    }

    event EIP2612PermitFailedWithReason(address indexed token, address indexed owner, string reason);
    event EIP2612PermitFailedWithPanic(address indexed token, address indexed owner, uint256 errorCode);
    event EIP2612PermitFailedWithData(address indexed token, address indexed owner, bytes data);

    error InvalidPermit2Address();
    error Permit2612AmountMismatch();

    ISignatureTransfer public immutable PERMIT2;

    constructor(address permit2) {
        if (permit2 == address(0)) revert InvalidPermit2Address();
        PERMIT2 = ISignatureTransfer(permit2);
    }

    /// A permit that fails, for instance because somebody else already used it, is told in an event and left to the
    /// transfer to notice.
    function allow(address token, address owner, uint256 amount, EIP2612Permit memory permit) internal {
        if (permit.value != amount) revert Permit2612AmountMismatch();
        try IERC2612(token).permit(
            owner, address(PERMIT2), permit.value, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch Error(string memory reason) {
            emit EIP2612PermitFailedWithReason(token, owner, reason);
        } catch Panic(uint256 errorCode) {
            emit EIP2612PermitFailedWithPanic(token, owner, errorCode);
        } catch (bytes memory data) {
            emit EIP2612PermitFailedWithData(token, owner, data);
        }
    }
}
