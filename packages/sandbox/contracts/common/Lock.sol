// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// One entry at a time, per transaction.
abstract contract Lock {
    error ReentrancyGuardReentrantCall();

    bool private transient entered;

    modifier nonReentrant() {
        if (entered) revert ReentrancyGuardReentrantCall();
        entered = true;
        _;
        entered = false;
    }
}
