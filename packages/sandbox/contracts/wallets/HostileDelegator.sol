// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Tokens} from "../common/Tokens.sol";
import {Erc1271Delegate} from "./Erc1271Delegate.sol";

/// Code for an EIP-7702 account that honours its delegations as an attacker would, under an honest manager.
contract HostileDelegator is Erc1271Delegate {
    enum Conduct {
        Reverting,
        BurningGas,
        Idle, // says yes and moves nothing
        DeliveringLess, // one unit less
        DeliveringElsewhere, // all of it, to somebody else
        Reentering, // has `again` called before it pays
        PayingWhileFree // one unit less when gas is paid for
    }

    error Refused();

    Conduct private immutable conduct;
    address private immutable elsewhere;

    /// What is called once by a re-entering account, and whom.
    bytes public again;
    address public againAt;

    constructor(Conduct conduct_, address elsewhere_) {
        conduct = conduct_;
        elsewhere = elsewhere_;
    }

    function arm(address at, bytes calldata call) external {
        againAt = at;
        again = call;
    }

    function executeFromExecutor(bytes32, bytes calldata execution) external returns (bytes[] memory results) {
        if (conduct == Conduct.Reverting) revert Refused();
        if (conduct == Conduct.BurningGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (conduct == Conduct.Idle) return results;
        if (conduct == Conduct.Reentering && again.length > 0) {
            bytes memory call = again;
            delete again;
            (bool done, bytes memory answer) = againAt.call(call);
            if (!done) Tokens.bubble(answer);
        }
        address token = address(bytes20(execution[0:20]));
        (address payee, uint256 amount) = abi.decode(execution[56:], (address, uint256));
        if (conduct == Conduct.DeliveringElsewhere) payee = elsewhere;
        bool less = conduct == Conduct.DeliveringLess || (conduct == Conduct.PayingWhileFree && tx.gasprice > 0);
        Tokens.send(token, payee, less ? amount - 1 : amount);
    }
}
