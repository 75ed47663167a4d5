// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Signatures} from "../common/Signatures.sol";
import {Eip3009Token} from "./Eip3009Token.sol";

/// A token with EIP-2612 and EIP-3009 that behaves until somebody tells it how not to. Everybody may tell it.
contract HostileToken is Eip3009Token {
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

    error Blocked(address account);
    error TokenPaused();
    error AllowanceNotZero();

    Conduct public conduct;
    mapping(address account => bool) public blocked;

    /// Whether the last call back went through, and what it answered.
    bool public reentered;
    bytes public reentryAnswer;
    address private reentryTarget;
    bytes private reentryData;

    constructor(string memory name_, string memory symbol_) Eip3009Token(name_, symbol_) {}

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

    function isReplay(address from, bytes32 nonce) internal override returns (bool) {
        if (conduct == Conduct.SilentReplay && authorizationState[from][nonce]) return true;
        return super.isReplay(from, nonce);
    }

    function agrees(address account, bytes32 hash, bytes memory signature) internal view override returns (bool) {
        return Signatures.agrees(account, hash, signature);
    }

    function send(address from, address to, uint256 amount) internal override returns (bool) {
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
