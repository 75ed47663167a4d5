// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Lock} from "../common/Lock.sol";
import {IERC20} from "../common/Tokens.sol";
import {PaymentInfo} from "./PaymentInfo.sol";
import {TokenStore} from "./TokenStore.sol";

/// What a collector is for: a payer's money, or the money that an operator gives back.
enum CollectorType {
    Payment,
    Refund
}

/// Who may bring tokens into the escrow, and how.
interface ITokenCollector {
    function collectorType() external view returns (CollectorType);

    /// Moves `amount` into `tokenStore`.
    function collectTokens(
        PaymentInfo calldata paymentInfo,
        address tokenStore,
        uint256 amount,
        bytes calldata collectorData
    ) external;
}

/// Payments with a life: held, captured in parts, voided, reclaimed, refunded. Interface 1.1: fees are amounts.
contract AuthCaptureEscrow is Lock {
    struct PaymentState {
        bool hasCollectedPayment;
        uint120 capturableAmount;
        uint120 refundableAmount;
    }

    event PaymentAuthorized(
        bytes32 indexed paymentInfoHash, PaymentInfo paymentInfo, uint256 amount, address tokenCollector
    );
    event PaymentCharged(
        bytes32 indexed paymentInfoHash,
        PaymentInfo paymentInfo,
        uint256 amount,
        address tokenCollector,
        uint256 feeAmount,
        address feeReceiver
    );
    event PaymentCaptured(bytes32 indexed paymentInfoHash, uint256 amount, uint256 feeAmount, address feeReceiver);
    event PaymentVoided(bytes32 indexed paymentInfoHash, uint256 amount);
    event PaymentReclaimed(bytes32 indexed paymentInfoHash, uint256 amount);
    event PaymentRefunded(bytes32 indexed paymentInfoHash, uint256 amount, address tokenCollector);
    event TokenStoreCreated(address indexed operator, address tokenStore);

    error AfterAuthorizationExpiry(uint48 timestamp, uint48 expiry);
    error AfterPreApprovalExpiry(uint48 timestamp, uint48 expiry);
    error AfterRefundExpiry(uint48 timestamp, uint48 expiry);
    error AmountOverflow(uint256 amount, uint256 limit);
    error BeforeAuthorizationExpiry(uint48 timestamp, uint48 expiry);
    error ExceedsMaxAmount(uint256 amount, uint256 maxAmount);
    error FeeAmountOutOfRange(uint256 feeAmount, uint256 minFeeAmount, uint256 maxFeeAmount);
    error FeeBpsOverflow(uint16 feeBps);
    error InsufficientAuthorization(bytes32 paymentInfoHash, uint256 authorizedAmount, uint256 requestedAmount);
    error InvalidCollectorForOperation();
    error InvalidExpiries(uint48 preApproval, uint48 authorization, uint48 refund);
    error InvalidFeeBpsRange(uint16 minFeeBps, uint16 maxFeeBps);
    error InvalidFeeReceiver(address attempted, address expected);
    error InvalidSender(address sender, address expected);
    error PaymentAlreadyCollected(bytes32 paymentInfoHash);
    error RefundExceedsCapture(uint256 refund, uint256 captured);
    error TokenCollectionFailed();
    error ZeroAmount();
    error ZeroAuthorization(bytes32 paymentInfoHash);
    error ZeroFeeReceiver();

    bytes32 public constant PAYMENT_INFO_TYPEHASH = keccak256(
        "PaymentInfo(address operator,address payer,address receiver,address token,uint120 maxAmount,uint48 preApprovalExpiry,uint48 authorizationExpiry,uint48 refundExpiry,uint16 minFeeBps,uint16 maxFeeBps,address feeReceiver,uint256 salt)"
    );

    uint256 private constant WHOLE = 10_000; // basis points

    mapping(bytes32 paymentInfoHash => PaymentState) public paymentState;

    modifier onlySender(address expected) {
        if (msg.sender != expected) revert InvalidSender(msg.sender, expected);
        _;
    }

    modifier positive(uint256 amount) {
        if (amount == 0) revert ZeroAmount();
        if (amount > type(uint120).max) revert AmountOverflow(amount, type(uint120).max);
        _;
    }

    /// Takes the payer's money and holds it.
    function authorize(
        PaymentInfo calldata paymentInfo,
        uint256 amount,
        address tokenCollector,
        bytes calldata collectorData
    ) external nonReentrant onlySender(paymentInfo.operator) positive(amount) {
        bytes32 hash = collectPayment(paymentInfo, amount, tokenCollector, collectorData);
        paymentState[hash] = PaymentState(true, uint120(amount), 0);
        emit PaymentAuthorized(hash, paymentInfo, amount, tokenCollector);
    }

    /// Takes the payer's money and pays it out at once.
    function charge(
        PaymentInfo calldata paymentInfo,
        uint256 amount,
        address tokenCollector,
        bytes calldata collectorData,
        uint256 feeAmount,
        address feeReceiver
    ) external nonReentrant onlySender(paymentInfo.operator) positive(amount) {
        checkFee(paymentInfo, amount, feeAmount, feeReceiver);
        bytes32 hash = collectPayment(paymentInfo, amount, tokenCollector, collectorData);
        paymentState[hash] = PaymentState(true, 0, uint120(amount));
        payOut(paymentInfo, amount, feeAmount, feeReceiver);
        emit PaymentCharged(hash, paymentInfo, amount, tokenCollector, feeAmount, feeReceiver);
    }

    /// Pays out what is held, or a part of it; again and again until it is all paid.
    function capture(PaymentInfo calldata paymentInfo, uint256 amount, uint256 feeAmount, address feeReceiver)
        external
        nonReentrant
        onlySender(paymentInfo.operator)
        positive(amount)
    {
        checkFee(paymentInfo, amount, feeAmount, feeReceiver);
        if (block.timestamp >= paymentInfo.authorizationExpiry) {
            revert AfterAuthorizationExpiry(uint48(block.timestamp), paymentInfo.authorizationExpiry);
        }
        bytes32 hash = getHash(paymentInfo);
        PaymentState storage state = paymentState[hash];
        if (state.capturableAmount < amount) revert InsufficientAuthorization(hash, state.capturableAmount, amount);
        state.capturableAmount -= uint120(amount);
        state.refundableAmount += uint120(amount);
        payOut(paymentInfo, amount, feeAmount, feeReceiver);
        emit PaymentCaptured(hash, amount, feeAmount, feeReceiver);
    }

    /// Gives the rest of a hold back to the payer, by the operator's will.
    function void(PaymentInfo calldata paymentInfo) external nonReentrant onlySender(paymentInfo.operator) {
        (bytes32 hash, uint256 amount) = release(paymentInfo);
        emit PaymentVoided(hash, amount);
    }

    /// Gives the rest of a hold back to the payer, who need not ask anybody once the authorization has expired.
    function reclaim(PaymentInfo calldata paymentInfo) external nonReentrant onlySender(paymentInfo.payer) {
        if (block.timestamp < paymentInfo.authorizationExpiry) {
            revert BeforeAuthorizationExpiry(uint48(block.timestamp), paymentInfo.authorizationExpiry);
        }
        (bytes32 hash, uint256 amount) = release(paymentInfo);
        emit PaymentReclaimed(hash, amount);
    }

    /// Gives captured money back to the payer, out of what a refund collector brings.
    function refund(
        PaymentInfo calldata paymentInfo,
        uint256 amount,
        address tokenCollector,
        bytes calldata collectorData
    ) external nonReentrant onlySender(paymentInfo.operator) positive(amount) {
        if (block.timestamp >= paymentInfo.refundExpiry) {
            revert AfterRefundExpiry(uint48(block.timestamp), paymentInfo.refundExpiry);
        }
        bytes32 hash = getHash(paymentInfo);
        PaymentState storage state = paymentState[hash];
        if (state.refundableAmount < amount) revert RefundExceedsCapture(amount, state.refundableAmount);
        state.refundableAmount -= uint120(amount);
        collect(paymentInfo, amount, tokenCollector, collectorData, CollectorType.Refund);
        send(paymentInfo, paymentInfo.payer, amount);
        emit PaymentRefunded(hash, amount, tokenCollector);
    }

    /// The identity of a payment on this chain and in this escrow.
    function getHash(PaymentInfo calldata paymentInfo) public view returns (bytes32) {
        bytes32 inner = keccak256(abi.encode(PAYMENT_INFO_TYPEHASH, paymentInfo));
        return keccak256(abi.encode(block.chainid, address(this), inner));
    }

    /// Where the money of an operator is, or will be.
    function getTokenStore(address operator) public view returns (address) {
        bytes32 code = keccak256(type(TokenStore).creationCode);
        bytes32 salt = bytes32(uint256(uint160(operator)));
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(this), salt, code)))));
    }

    function collectPayment(
        PaymentInfo calldata paymentInfo,
        uint256 amount,
        address tokenCollector,
        bytes calldata collectorData
    ) private returns (bytes32 hash) {
        checkTerms(paymentInfo, amount);
        hash = getHash(paymentInfo);
        if (paymentState[hash].hasCollectedPayment) revert PaymentAlreadyCollected(hash);
        collect(paymentInfo, amount, tokenCollector, collectorData, CollectorType.Payment);
    }

    function collect(
        PaymentInfo calldata paymentInfo,
        uint256 amount,
        address tokenCollector,
        bytes calldata collectorData,
        CollectorType purpose
    ) private {
        if (ITokenCollector(tokenCollector).collectorType() != purpose) revert InvalidCollectorForOperation();
        address store = getTokenStore(paymentInfo.operator);
        uint256 before = IERC20(paymentInfo.token).balanceOf(store);
        ITokenCollector(tokenCollector).collectTokens(paymentInfo, store, amount, collectorData);
        if (IERC20(paymentInfo.token).balanceOf(store) != before + amount) revert TokenCollectionFailed();
    }

    function release(PaymentInfo calldata paymentInfo) private returns (bytes32 hash, uint256 amount) {
        hash = getHash(paymentInfo);
        amount = paymentState[hash].capturableAmount;
        if (amount == 0) revert ZeroAuthorization(hash);
        paymentState[hash].capturableAmount = 0;
        send(paymentInfo, paymentInfo.payer, amount);
    }

    function payOut(PaymentInfo calldata paymentInfo, uint256 amount, uint256 feeAmount, address feeReceiver) private {
        if (feeAmount > 0) send(paymentInfo, feeReceiver, feeAmount);
        if (amount > feeAmount) send(paymentInfo, paymentInfo.receiver, amount - feeAmount);
    }

    function send(PaymentInfo calldata paymentInfo, address to, uint256 amount) private {
        address store = getTokenStore(paymentInfo.operator);
        if (store.code.length == 0) {
            new TokenStore{salt: bytes32(uint256(uint160(paymentInfo.operator)))}();
            emit TokenStoreCreated(paymentInfo.operator, store);
        }
        TokenStore(store).send(paymentInfo.token, to, amount);
    }

    function checkTerms(PaymentInfo calldata terms, uint256 amount) private view {
        if (amount > terms.maxAmount) revert ExceedsMaxAmount(amount, terms.maxAmount);
        if (block.timestamp >= terms.preApprovalExpiry) {
            revert AfterPreApprovalExpiry(uint48(block.timestamp), terms.preApprovalExpiry);
        }
        if (terms.preApprovalExpiry > terms.authorizationExpiry || terms.authorizationExpiry > terms.refundExpiry) {
            revert InvalidExpiries(terms.preApprovalExpiry, terms.authorizationExpiry, terms.refundExpiry);
        }
        if (terms.maxFeeBps > WHOLE) revert FeeBpsOverflow(terms.maxFeeBps);
        if (terms.minFeeBps > terms.maxFeeBps) revert InvalidFeeBpsRange(terms.minFeeBps, terms.maxFeeBps);
    }

    function checkFee(PaymentInfo calldata terms, uint256 amount, uint256 feeAmount, address feeReceiver)
        private
        pure
    {
        uint256 least = amount * terms.minFeeBps / WHOLE;
        uint256 most = amount * terms.maxFeeBps / WHOLE;
        if (feeAmount < least || feeAmount > most) revert FeeAmountOutOfRange(feeAmount, least, most);
        if (feeAmount > 0 && feeReceiver == address(0)) revert ZeroFeeReceiver();
        if (terms.feeReceiver != address(0) && terms.feeReceiver != feeReceiver) {
            revert InvalidFeeReceiver(feeReceiver, terms.feeReceiver);
        }
    }
}
