// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Signatures} from "../common/Signatures.sol";
import {PermitToken} from "./PermitToken.sol";

/// A token with EIP-2612 and EIP-3009 that behaves until somebody tells it how not to. Everybody may tell it.
contract HostileToken is PermitToken {
    enum Conduct {
        Honest,
        FeeOnTransfer, // a hundredth of what is sent is burnt on the way
        ReturnsFalse, // moves nothing and says so, where a caller may not look
        ReturnsNothing, // moves, and answers with no data at all
        SilentReplay, // a used authorization does nothing and succeeds
        LyingLog, // logs the transfer and moves nothing
        NoLog, // moves and logs nothing
        Reentrant, // calls back before it moves
        Blocklist, // refuses those who are listed
        Paused,
        BurnsGas,
        ApprovesFromZero // changes an allowance to or from zero only, and answers with no data
    }

    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

    error AuthorizationExpired();
    error AuthorizationNotYetValid();
    error AuthorizationUsedOrCanceled();
    error CallerMustBePayee();
    error InvalidAuthorizationSignature();
    error Blocked(address account);
    error TokenPaused();
    error AllowanceNotZero();

    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant CANCEL_TYPEHASH = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    Conduct public conduct;
    mapping(address account => bool) public blocked;
    mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;

    /// Whether the last call back went through, and what it answered.
    bool public reentered;
    bytes public reentryAnswer;
    address private reentryTarget;
    bytes private reentryData;

    constructor(string memory name_, string memory symbol_) PermitToken(name_, symbol_) {}

    function setConduct(Conduct conduct_) external {
        conduct = conduct_;
    }

    function setBlocked(address account, bool on) external {
        blocked[account] = on;
    }

    function setReentry(address target, bytes calldata data) external {
        (reentryTarget, reentryData, reentered, reentryAnswer) = (target, data, false, "");
    }

    function approve(address spender, uint256 amount) external override returns (bool) {
        if (conduct == Conduct.ApprovesFromZero) {
            if (amount > 0 && allowance[msg.sender][spender] > 0) revert AllowanceNotZero();
            setAllowance(msg.sender, spender, amount);
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        setAllowance(msg.sender, spender, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external override returns (bool) {
        return send(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        if (conduct != Conduct.ReturnsFalse) spendAllowance(from, amount);
        return send(from, to, amount);
    }

    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        bytes memory signature = abi.encodePacked(r, s, v);
        authorized(TRANSFER_TYPEHASH, from, to, value, validAfter, validBefore, nonce, signature);
    }

    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) external {
        authorized(TRANSFER_TYPEHASH, from, to, value, validAfter, validBefore, nonce, signature);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        if (msg.sender != to) revert CallerMustBePayee();
        bytes memory signature = abi.encodePacked(r, s, v);
        authorized(RECEIVE_TYPEHASH, from, to, value, validAfter, validBefore, nonce, signature);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) external {
        if (msg.sender != to) revert CallerMustBePayee();
        authorized(RECEIVE_TYPEHASH, from, to, value, validAfter, validBefore, nonce, signature);
    }

    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external {
        if (authorizationState[authorizer][nonce]) revert AuthorizationUsedOrCanceled();
        bytes32 hash = digestOf(keccak256(abi.encode(CANCEL_TYPEHASH, authorizer, nonce)));
        if (!Signatures.agrees(authorizer, hash, abi.encodePacked(r, s, v))) revert InvalidAuthorizationSignature();
        authorizationState[authorizer][nonce] = true;
        emit AuthorizationCanceled(authorizer, nonce);
    }

    function authorized(
        bytes32 typehash,
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) private {
        if (block.timestamp <= validAfter) revert AuthorizationNotYetValid();
        if (block.timestamp >= validBefore) revert AuthorizationExpired();
        if (authorizationState[from][nonce]) {
            if (conduct == Conduct.SilentReplay) return;
            revert AuthorizationUsedOrCanceled();
        }
        bytes32 hash = digestOf(keccak256(abi.encode(typehash, from, to, value, validAfter, validBefore, nonce)));
        if (!Signatures.agrees(from, hash, signature)) revert InvalidAuthorizationSignature();
        authorizationState[from][nonce] = true;
        emit AuthorizationUsed(from, nonce);
        send(from, to, value);
    }

    function send(address from, address to, uint256 amount) private returns (bool) {
        if (conduct == Conduct.ReturnsFalse) return false;
        if (conduct == Conduct.Paused) revert TokenPaused();
        if (conduct == Conduct.BurnsGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (conduct == Conduct.Blocklist) {
            if (blocked[from]) revert Blocked(from);
            if (blocked[to]) revert Blocked(to);
        }
        if (conduct == Conduct.Reentrant) (reentered, reentryAnswer) = reentryTarget.call(reentryData);

        if (conduct == Conduct.LyingLog) {
            emit Transfer(from, to, amount);
        } else if (conduct == Conduct.NoLog) {
            balanceOf[from] -= amount;
            balanceOf[to] += amount;
        } else if (conduct == Conduct.FeeOnTransfer) {
            uint256 fee = amount / 100;
            move(from, to, amount - fee);
            move(from, address(0), fee);
        } else {
            move(from, to, amount);
        }
        if (conduct == Conduct.ReturnsNothing) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return true;
    }
}
