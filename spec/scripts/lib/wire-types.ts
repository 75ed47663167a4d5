import { v1, v2 } from '@groat/core/schema'
import {
  AuthCaptureCapturePayload,
  AuthCaptureEip3009Payload,
  AuthCaptureExtra,
  AuthCapturePaymentInfo,
  AuthCapturePermit2Payload,
  AuthCaptureRefundPayload,
  AuthCaptureVoidPayload,
} from '@groat/evm/auth-capture/schema'
import {
  BatchChannelConfig,
  BatchDepositPayload,
  BatchEvmExtra,
  BatchRefundPayload,
  BatchVoucher,
  BatchVoucherPayload,
} from '@groat/evm/batch-settlement/schema'
import {
  Eip3009Extra,
  Eip3009Payload,
  Erc7710Extra,
  Erc7710Payload,
  Permit2Extra,
  Permit2Payload,
} from '@groat/evm/exact/schema'
import { Eip2612Info, Erc20ApprovalInfo } from '@groat/evm/sponsoring/schema'
import { TransferProofExtra, TransferProofPayload } from '@groat/evm/transfer-proof/schema'
import { UptoEvmExtra, UptoEvmPayload } from '@groat/evm/upto/schema'
import { SvmExactExtra, SvmTransactionPayload } from '@groat/svm/exact/schema'
import { UptoSvmExtra, UptoSvmPayload } from '@groat/svm/upto/schema'
import type * as z from 'zod/mini'

/** A message or a part of one, as it is published. */
export type WireType = {
  /** The protocol version, or the scheme whose own data this is. */
  readonly version:
    | 'v1'
    | 'v2'
    | 'exact-evm'
    | 'exact-svm'
    | 'upto-svm'
    | 'upto-evm'
    | 'batch-evm'
    | 'auth-capture-evm'
    | 'transfer-proof-evm'
    | 'extensions'
  readonly name: string
  readonly schema: z.core.$ZodType
  /** What it is, in one line. */
  readonly title: string
}

/** Every published type. A part comes before the messages that hold it. */
export const wireTypes: readonly WireType[] = [
  { version: 'v1', name: 'PaymentRequirements', schema: v1.PaymentRequirements, title: 'One offer' },
  { version: 'v1', name: 'PaymentRequired', schema: v1.PaymentRequired, title: 'The offers, in the body of a 402' },
  { version: 'v1', name: 'PaymentPayload', schema: v1.PaymentPayload, title: 'A payment, in the header X-PAYMENT' },
  { version: 'v1', name: 'VerifyRequest', schema: v1.VerifyRequest, title: 'The body of POST /verify' },
  { version: 'v1', name: 'SettleRequest', schema: v1.SettleRequest, title: 'The body of POST /settle' },
  { version: 'v1', name: 'VerifyResponse', schema: v1.VerifyResponse, title: 'The answer of POST /verify' },
  {
    version: 'v1',
    name: 'SettleResponse',
    schema: v1.SettleResponse,
    title: 'The answer of POST /settle, and the receipt in the header X-PAYMENT-RESPONSE',
  },
  { version: 'v2', name: 'ResourceInfo', schema: v2.ResourceInfo, title: 'What is sold' },
  {
    version: 'v2',
    name: 'PaymentRequirements',
    schema: v2.PaymentRequirements,
    title: 'One offer, and what a payment echoes as accepted',
  },
  {
    version: 'v2',
    name: 'PaymentRequired',
    schema: v2.PaymentRequired,
    title: 'The offers, in the header PAYMENT-REQUIRED',
  },
  {
    version: 'v2',
    name: 'PaymentPayload',
    schema: v2.PaymentPayload,
    title: 'A payment, in the header PAYMENT-SIGNATURE',
  },
  { version: 'v2', name: 'VerifyRequest', schema: v2.VerifyRequest, title: 'The body of POST /verify' },
  { version: 'v2', name: 'SettleRequest', schema: v2.SettleRequest, title: 'The body of POST /settle' },
  { version: 'v2', name: 'VerifyResponse', schema: v2.VerifyResponse, title: 'The answer of POST /verify' },
  {
    version: 'v2',
    name: 'SettleResponse',
    schema: v2.SettleResponse,
    title: 'The answer of POST /settle, and the receipt in the header PAYMENT-RESPONSE',
  },
  {
    version: 'v2',
    name: 'SupportedKind',
    schema: v2.SupportedKind,
    title: 'One version, scheme and network that a facilitator serves',
  },
  {
    version: 'v2',
    name: 'SupportedResponse',
    schema: v2.SupportedResponse,
    title: 'The answer of GET /supported, for every version',
  },
  {
    version: 'exact-evm',
    name: 'Eip3009Extra',
    schema: Eip3009Extra,
    title: 'The extra of an offer that is paid by EIP-3009',
  },
  {
    version: 'exact-evm',
    name: 'Eip3009Authorization',
    schema: Eip3009Payload.shape.authorization,
    title: 'What a payer signs under EIP-3009',
  },
  {
    version: 'exact-evm',
    name: 'Eip3009Payload',
    schema: Eip3009Payload,
    title: 'The payload of a payment by EIP-3009',
  },
  {
    version: 'exact-evm',
    name: 'Permit2Extra',
    schema: Permit2Extra,
    title: 'The extra of an offer that is paid by Permit2',
  },
  {
    version: 'exact-evm',
    name: 'Permit2Permissions',
    schema: Permit2Payload.shape.permit2Authorization.shape.permitted,
    title: 'What may be taken',
  },
  {
    version: 'exact-evm',
    name: 'Permit2Witness',
    schema: Permit2Payload.shape.permit2Authorization.shape.witness,
    title: 'What binds the contract that takes it',
  },
  {
    version: 'exact-evm',
    name: 'Permit2Authorization',
    schema: Permit2Payload.shape.permit2Authorization,
    title: 'What a payer signs under Permit2',
  },
  {
    version: 'exact-evm',
    name: 'Permit2Payload',
    schema: Permit2Payload,
    title: 'The payload of a payment by Permit2',
  },
  {
    version: 'exact-evm',
    name: 'Erc7710Extra',
    schema: Erc7710Extra,
    title: 'The extra of an offer that is paid by delegation',
  },
  {
    version: 'exact-evm',
    name: 'Erc7710Payload',
    schema: Erc7710Payload,
    title: 'The payload of a payment by delegation',
  },
  {
    version: 'auth-capture-evm',
    name: 'AuthCaptureExtra',
    schema: AuthCaptureExtra,
    title: 'The extra of an offer whose money is held in escrow',
  },
  {
    version: 'auth-capture-evm',
    name: 'AuthCaptureEip3009Payload',
    schema: AuthCaptureEip3009Payload,
    title: 'The payload of a payment into escrow by EIP-3009',
  },
  {
    version: 'auth-capture-evm',
    name: 'AuthCapturePermit2Payload',
    schema: AuthCapturePermit2Payload,
    title: 'The payload of a payment into escrow by Permit2',
  },
  {
    version: 'auth-capture-evm',
    name: 'AuthCapturePaymentInfo',
    schema: AuthCapturePaymentInfo,
    title: 'The terms of a payment, as the escrow takes them',
  },
  {
    version: 'auth-capture-evm',
    name: 'AuthCaptureCapturePayload',
    schema: AuthCaptureCapturePayload,
    title: 'The payload with which a server has money paid out that is held',
  },
  {
    version: 'auth-capture-evm',
    name: 'AuthCaptureVoidPayload',
    schema: AuthCaptureVoidPayload,
    title: 'The payload with which a server lets go of what is held',
  },
  {
    version: 'auth-capture-evm',
    name: 'AuthCaptureRefundPayload',
    schema: AuthCaptureRefundPayload,
    title: 'The payload with which a server gives back what was paid out',
  },
  {
    version: 'extensions',
    name: 'Eip2612Info',
    schema: Eip2612Info,
    title: 'What a payer puts under eip2612GasSponsoring',
  },
  {
    version: 'extensions',
    name: 'Erc20ApprovalInfo',
    schema: Erc20ApprovalInfo,
    title: 'What a payer puts under erc20ApprovalGasSponsoring',
  },
  {
    version: 'exact-svm',
    name: 'SvmExactExtra',
    schema: SvmExactExtra,
    title: 'The extra of an offer that is paid on Solana',
  },
  {
    version: 'exact-svm',
    name: 'SvmTransactionPayload',
    schema: SvmTransactionPayload,
    title: 'The payload of a payment on Solana',
  },
  { version: 'batch-evm', name: 'BatchEvmExtra', schema: BatchEvmExtra, title: 'The extra of an offer of channels' },
  { version: 'batch-evm', name: 'BatchChannelConfig', schema: BatchChannelConfig, title: 'What makes a channel' },
  { version: 'batch-evm', name: 'BatchVoucher', schema: BatchVoucher, title: 'How much of a channel may be claimed' },
  {
    version: 'batch-evm',
    name: 'BatchVoucherPayload',
    schema: BatchVoucherPayload,
    title: 'The payload of a payment out of a channel',
  },
  {
    version: 'batch-evm',
    name: 'BatchDepositPayload',
    schema: BatchDepositPayload,
    title: 'The payload of a payment that fills its channel too',
  },
  {
    version: 'batch-evm',
    name: 'BatchRefundPayload',
    schema: BatchRefundPayload,
    title: 'What a payer asks for back, and what a seller has given back',
  },
  {
    version: 'upto-evm',
    name: 'UptoEvmExtra',
    schema: UptoEvmExtra,
    title: 'The extra of an offer that is paid by upto through Permit2',
  },
  {
    version: 'upto-evm',
    name: 'UptoEvmWitness',
    schema: UptoEvmPayload.shape.permit2Authorization.shape.witness,
    title: 'What the signature of an upto payment binds its settlement to',
  },
  {
    version: 'upto-evm',
    name: 'UptoEvmAuthorization',
    schema: UptoEvmPayload.shape.permit2Authorization,
    title: 'What a payer signs for upto through Permit2',
  },
  {
    version: 'upto-evm',
    name: 'UptoEvmPayload',
    schema: UptoEvmPayload,
    title: 'The payload of an upto payment through Permit2',
  },
  {
    version: 'transfer-proof-evm',
    name: 'TransferProofExtra',
    schema: TransferProofExtra,
    title: 'The extra of an offer that is paid by a transfer that was made',
  },
  {
    version: 'transfer-proof-evm',
    name: 'TransferProofPayload',
    schema: TransferProofPayload,
    title: 'A transfer that was made, and the word of its sender',
  },
  { version: 'upto-svm', name: 'UptoSvmExtra', schema: UptoSvmExtra, title: 'The extra of an offer of a channel' },
  { version: 'upto-svm', name: 'UptoSvmPayload', schema: UptoSvmPayload, title: 'The payload that opens a channel' },
]

/** The published type of this name. Throws when there is none. */
export function wireType(path: string): WireType {
  const found = wireTypes.find(({ version, name }) => path === `${version}/${name}`)
  if (found === undefined) throw new Error(`no wire type ${path}`)
  return found
}

/** What each member means, by type and member; `*` where every type means the same. */
export const meanings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '*': {
    x402Version: 'protocol version',
    scheme: 'how the payment is made, such as `exact`',
    network: 'the network that the money moves on',
    asset: 'the token: contract address or mint',
    payTo: 'the account that receives the money',
    maxTimeoutSeconds: 'for how many seconds a payment for this offer may be valid',
    extra: 'data of the scheme',
    extensions: 'extension values by extension name',
    payer: 'the account that pays',
  },
  'v1/PaymentRequirements': {
    maxAmountRequired: 'the price in atomic units',
    resource: 'URL of the resource',
    description: 'the resource, for people; may be empty',
    mimeType: 'media type of the resource',
    outputSchema: 'how to call the resource and what it answers',
  },
  'v1/PaymentRequired': { error: 'why payment is asked for: a code', accepts: 'the offers' },
  'v1/PaymentPayload': { payload: 'what the scheme has the client sign' },
  'v1/VerifyRequest': { paymentPayload: 'the payment', paymentRequirements: "the server's own offer" },
  'v1/VerifyResponse': {
    isValid: 'whether the payment would settle now',
    invalidReason: 'a code, when it would not',
  },
  'v1/SettleResponse': {
    success: 'whether the money moved',
    errorReason: 'a code, when it did not or is not known to have',
    errorMessage: 'for people',
    transaction: 'the transaction; empty when there is none',
    network: 'the network of the offer',
  },
  'v2/ResourceInfo': {
    url: 'URL or other name of the resource',
    description: 'the resource, for people',
    mimeType: 'media type of the resource',
    serviceName: 'name of the seller: 1 to 32 printable ASCII characters',
    tags: 'up to five, each 1 to 32 printable ASCII characters',
    iconUrl: 'an icon of the seller; up to 2048 characters',
  },
  'v2/PaymentRequirements': { amount: 'the price in atomic units', network: 'the network, in CAIP-2 form' },
  'v2/PaymentRequired': {
    error: 'why payment is asked for: a code',
    resource: 'what is sold',
    accepts: 'the offers',
  },
  'v2/PaymentPayload': {
    accepted: 'the chosen offer, copied',
    payload: 'what the scheme has the client sign',
    resource: 'what the client means to buy, copied',
    extensions: "the server's extension values, echoed",
  },
  'v2/VerifyRequest': { paymentPayload: 'the payment', paymentRequirements: "the server's own offer" },
  'v2/VerifyResponse': {
    isValid: 'whether the payment would settle now',
    invalidReason: 'a code, when it would not',
    invalidMessage: 'for people',
  },
  'v2/SettleResponse': {
    success: 'whether the money moved',
    errorReason: 'a code, when it did not or is not known to have',
    errorMessage: 'for people',
    transaction: 'the transaction; empty when there is none',
    network: 'the network of the offer',
    amount: 'atomic units that moved, where the scheme leaves that open',
  },
  'v2/SupportedKind': { network: 'CAIP-2 for version 2, a name for version 1', extra: 'data of the scheme for offers' },
  'v2/SupportedResponse': {
    kinds: 'what is served',
    extensions: 'names of extensions that are implemented',
    signers: 'accounts that settle, by CAIP-2 pattern such as `eip155:*`',
  },
  'exact-evm/Eip3009Extra': {
    name: 'name of the token in its EIP-712 domain',
    version: 'version of the token in its EIP-712 domain',
    assetTransferMethod: 'how the token is moved',
  },
  'exact-evm/Eip3009Authorization': {
    from: 'the payer',
    to: 'the recipient',
    value: 'atomic units',
    validAfter: 'seconds since 1970; valid strictly after',
    validBefore: 'seconds since 1970; valid strictly before',
    nonce: '32 bytes in hex; names this authorization among all of this payer in this token',
  },
  'exact-evm/Eip3009Payload': {
    signature: "65 bytes `r ‖ s ‖ v` in hex, or the bytes that the payer's contract understands",
    authorization: 'what is signed',
  },
  'batch-evm/BatchEvmExtra': {
    receiverAuthorizer: "whose word claims and refunds need: an account of the seller's",
    withdrawDelay: 'seconds that a payer who takes money out alone waits for',
    name: 'name of the token in its EIP-712 domain',
    version: 'version of the token in its EIP-712 domain',
    assetTransferMethod: 'how a deposit is moved: `eip3009` or `permit2`',
    minDeposit: 'atomic units that a deposit should have',
  },
  'batch-evm/BatchChannelConfig': {
    payer: 'whose money it is',
    payerAuthorizer: 'the key whose vouchers count',
    receiver: 'who is paid',
    receiverAuthorizer: 'whose word claims and refunds need',
    token: 'the token',
    withdrawDelay: 'seconds that a payer who takes money out alone waits for',
    salt: '32 bytes in hex; tells channels of the same two apart',
  },
  'batch-evm/BatchVoucher': {
    channelId: 'the digest of the configuration',
    maxClaimableAmount: 'atomic units that may be claimed, in all',
    signature: '65 bytes `r ‖ s ‖ v` in hex',
  },
  'batch-evm/BatchVoucherPayload': {
    type: '`voucher`',
    channelConfig: 'the channel',
    voucher: 'the voucher',
  },
  'batch-evm/BatchDepositPayload': {
    type: '`deposit`',
    channelConfig: 'the channel',
    voucher: 'the first voucher after the deposit',
    deposit: '`amount` in atomic units, and `authorization` with an `erc3009Authorization` or a `permit2Authorization`',
  },
  'batch-evm/BatchRefundPayload': {
    type: '`refund`',
    channelConfig: 'the channel',
    voucher: "the payer's voucher for what was charged; from a seller, the best that it has",
    amount: 'atomic units; all that was not spent unless told',
    refundNonce: "the number of the refund; only a seller writes it, and so tells its own from a payer's wish",
    claims: 'what the seller claims first',
    refundAuthorizerSignature: 'the word of the authorizer on `Refund`',
    claimAuthorizerSignature: 'the word of the authorizer on `ClaimBatch`',
  },
  'upto-evm/UptoEvmExtra': {
    facilitatorAddress: 'the only account that can settle',
    name: 'name of the token in its EIP-712 domain',
    version: 'version of the token in its EIP-712 domain',
    assetTransferMethod: 'how the token is moved',
  },
  'upto-evm/UptoEvmWitness': {
    to: 'the recipient',
    facilitator: 'the only account that can settle',
    validAfter: 'seconds since 1970; valid from this second on',
  },
  'upto-evm/UptoEvmAuthorization': {
    from: 'the payer',
    permitted: '`token`, its address, and `amount`, the ceiling in atomic units',
    spender: 'the proxy of the scheme',
    nonce: 'names this authorization among all of this payer in Permit2',
    deadline: 'seconds since 1970; valid until and in this second',
    witness: 'what the spender is bound to',
  },
  'upto-evm/UptoEvmPayload': {
    signature: "65 bytes `r ‖ s ‖ v` in hex, or the bytes that the payer's contract understands",
    permit2Authorization: 'what is signed',
  },
  'transfer-proof-evm/TransferProofExtra': { audience: 'whose claims a proof is good for; part of what is signed' },
  'transfer-proof-evm/TransferProofPayload': {
    transaction: 'hash of the transaction that moved the money',
    from: 'the account that sent it',
    resource: 'URL of the resource, as the challenge has it',
    validBefore: 'seconds since 1970; the proof is taken before',
    signature: '65 bytes `r ‖ s ‖ v` in hex, of the account that sent the money',
  },
  'exact-evm/Permit2Extra': {
    assetTransferMethod: 'how the token is moved',
    name: 'name of the token in its EIP-712 domain, where it understands EIP-2612',
    version: 'version of the token in its EIP-712 domain, where it understands EIP-2612',
  },
  'exact-evm/Permit2Permissions': { token: 'the asset', amount: 'atomic units' },
  'exact-evm/Permit2Witness': { to: 'the recipient', validAfter: 'seconds since 1970; valid from this second on' },
  'exact-evm/Permit2Authorization': {
    from: 'the payer',
    permitted: 'what may be taken',
    spender: 'who may take it: the proxy of the scheme',
    nonce: 'a number of 256 bits; names this authorization among all of this payer',
    deadline: 'seconds since 1970; valid until and in this second',
    witness: 'what the proxy is bound to',
  },
  'exact-evm/Permit2Payload': {
    signature: "65 bytes `r ‖ s ‖ v` in hex, or the bytes that the payer's contract understands",
    permit2Authorization: 'what is signed, and the payer',
  },
  'auth-capture-evm/AuthCaptureExtra': {
    name: 'name of the token in its EIP-712 domain',
    version: 'version of the token in its EIP-712 domain',
    captureAuthorizer: 'the operator: the only account that can collect, capture, void and refund',
    captureDeadline: 'seconds since 1970; captured before then, and reclaimed by the payer from then on',
    refundDeadline: 'seconds since 1970; refunded before then',
    feeRecipient: 'whose the fee is; the zero address where there is none',
    minFeeBps: 'the least fee, in basis points of what is paid out',
    maxFeeBps: 'the highest fee, in basis points of what is paid out',
    authCaptureEscrow: 'the escrow of section 1',
    receiverAuthorizer: 'whose word a payout, a void and a refund need',
    policy: 'reserved: absent or the zero address',
    paymentFlow:
      '`escrow`, held until it is captured, or `authorization`, paid out at once; `escrow` where it is absent',
    captureMode: '`deferred`: captured by a request of its own',
    operatorType: '`delegated`: the operator is the facilitator',
    assetTransferMethod: '`eip3009` or `permit2`; `eip3009` where it is absent',
  },
  'auth-capture-evm/AuthCaptureEip3009Payload': {
    signature: "65 bytes `r ‖ s ‖ v` in hex, or the bytes that the payer's contract understands",
    authorization: 'what is signed: `from`, `to` (the collector), `value`, `validAfter` (0), `validBefore` and `nonce`',
    salt: 'the salt of the payment: 32 bytes',
    saltNonce: "the random bytes behind it, where the offer names a receiver's authorizer",
    amount: 'added by the server in the flow `authorization`: atomic units that are paid out',
    feeAmount: 'added with it: what of it is the fee',
    feeReceiver: 'added with it: whose the fee is',
    authorizerSignature: "added with it: the word of the receiver's authorizer",
  },
  'auth-capture-evm/AuthCapturePermit2Payload': {
    signature: "65 bytes `r ‖ s ‖ v` in hex, or the bytes that the payer's contract understands",
    permit2Authorization:
      'what is signed: `from`, `permitted` (`token`, `amount`), `spender` (the collector), `nonce` and `deadline`',
    salt: 'the salt of the payment: 32 bytes',
    saltNonce: "the random bytes behind it, where the offer names a receiver's authorizer",
    amount: 'added by the server in the flow `authorization`: atomic units that are paid out',
    feeAmount: 'added with it: what of it is the fee',
    feeReceiver: 'added with it: whose the fee is',
    authorizerSignature: "added with it: the word of the receiver's authorizer",
  },
  'auth-capture-evm/AuthCapturePaymentInfo': {
    operator: 'the `captureAuthorizer` of the offer',
    payer: 'the payer',
    receiver: 'the recipient of the offer',
    token: 'the asset',
    maxAmount: 'atomic units: the amount of the offer',
    preApprovalExpiry: 'seconds since 1970: the end of what the payer signed',
    authorizationExpiry: 'the `captureDeadline` of the offer',
    refundExpiry: 'the `refundDeadline` of the offer',
    minFeeBps: 'as in the offer',
    maxFeeBps: 'as in the offer',
    feeReceiver: 'the `feeRecipient` of the offer',
    salt: 'the salt of the payment',
  },
  'auth-capture-evm/AuthCaptureCapturePayload': {
    type: 'what is asked for',
    paymentInfo: 'the terms of the payment',
    saltNonce: 'the random bytes of the payer',
    authorizerSignature: "the word of the receiver's authorizer over exactly this",
    amount: 'atomic units that are paid out, the fee included',
    feeAmount: 'what of it is the fee',
    feeReceiver: 'whose the fee is',
    expectedCapturableAmount: 'atomic units that the escrow holds before it',
    expectedRefundableAmount: 'atomic units that were captured and not refunded before it',
  },
  'auth-capture-evm/AuthCaptureVoidPayload': {
    type: 'what is asked for',
    paymentInfo: 'the terms of the payment',
    saltNonce: 'the random bytes of the payer',
    authorizerSignature: "the word of the receiver's authorizer over exactly this",
  },
  'auth-capture-evm/AuthCaptureRefundPayload': {
    type: 'what is asked for',
    paymentInfo: 'the terms of the payment',
    saltNonce: 'the random bytes of the payer',
    authorizerSignature: "the word of the receiver's authorizer over exactly this",
    amount: 'atomic units that are given back',
    expectedCapturableAmount: 'atomic units that the escrow holds before it',
    expectedRefundableAmount: 'atomic units that were captured and not refunded before it',
  },
  'exact-evm/Erc7710Extra': {
    assetTransferMethod: 'how the token is moved',
    facilitators: 'who will redeem, as a hint',
    delegationManagers: 'the managers that the facilitator knows, as a hint',
    name: 'name of the token in its EIP-712 domain; signs nothing here',
    version: 'version of the token in its EIP-712 domain; signs nothing here',
  },
  'exact-evm/Erc7710Payload': {
    delegationManager: 'the contract that redeems the permission',
    permissionContext: 'the permission: bytes in hex, in the form of the manager',
    delegator: 'the payer: whose money it is',
  },
  'extensions/Erc20ApprovalInfo': {
    from: 'the payer',
    asset: 'the token',
    spender: 'Permit2',
    amount: 'atomic units that are approved',
    signedTransaction: 'the signed transaction, as nodes take it',
    version: 'version of the extension',
  },
  'extensions/Eip2612Info': {
    from: 'the payer',
    asset: 'the token',
    spender: 'Permit2',
    amount: 'atomic units: what the Permit2 authorization names',
    nonce: 'the next one of the payer, as the token counts them',
    deadline: 'seconds since 1970',
    signature: '65 bytes `r ‖ s ‖ v` in hex',
    version: 'version of the extension',
  },
  'exact-svm/SvmExactExtra': {
    feePayer: 'who pays the fee, and signs first',
    memo: 'what the memo of the transaction has to say; 1 to 256 bytes of UTF-8',
    recentBlockhash: 'a blockhash to build on, as a hint',
    lastValidBlockHeight: 'height of the last block in which that blockhash is good, as a hint',
  },
  'upto-svm/UptoSvmExtra': {
    feePayer: 'who pays the fee and the rent, and holds the seat of the payee without a share',
    receiverAuthorizer: 'whose vouchers count',
    withdrawDelay: 'seconds that a payer who closes alone waits for',
    tokenProgram: 'the token program of the mint',
    memo: 'what the memo of the transaction has to say; 1 to 256 bytes of UTF-8',
    recentBlockhash: 'a blockhash to build on, as a hint',
    lastValidBlockHeight: 'height of the last block in which that blockhash is good, as a hint',
    recentSlot: 'a slot of just now',
    validAfter: 'seconds since 1970',
  },
  'upto-svm/UptoSvmPayload': {
    from: 'the payer',
    maxAmount: 'atomic units: the ceiling',
    deposit: 'atomic units that are locked: the ceiling too',
    expiresAt: 'seconds since 1970 after which no voucher is good',
    validAfter: 'seconds since 1970',
    nonce: 'a number of 64 bits as decimal text; part of the address of the channel',
    openSlot: 'slot at which the channel is opened; part of its address',
    channelId: 'address of the channel',
    authorizedSigner: 'whose vouchers count',
    openTransaction: 'the transaction that opens the channel in base64, signed by the payer',
  },
  'exact-svm/SvmTransactionPayload': {
    transaction: 'the whole transaction in base64, signed by everybody but the fee payer',
  },
}

/** What a member of a type means. Throws when nobody has said it. */
export function meaning(type: string, member: string): string {
  const inherited = type.endsWith('/SettleRequest') ? type.replace('Settle', 'Verify') : type
  const found = meanings[inherited]?.[member] ?? meanings['*']?.[member]
  if (found === undefined) throw new Error(`no meaning for ${type}.${member}`)
  return found
}
