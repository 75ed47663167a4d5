export { decodeBase64Text, encodeBase64Text, MAX_HEADER_LENGTH } from './codec/base64.js'
export { comparableBody, joinBytes, readBounded } from './codec/bytes.js'
export { decodeChallenge, type EncodedChallenge, encodeChallenge } from './codec/challenge.js'
export { check, type Fitting, type Shape } from './codec/check.js'
export {
  decodeFacilitatorRequest,
  decodeSupported,
  decodeVerdict,
  encodeFacilitatorRequest,
  encodeSupported,
  encodeVerdict,
  type FacilitatorRequest,
  VOUCHED_HEADER,
} from './codec/facilitator.js'
export { decodeHeaderObject, encodeHeaderObject } from './codec/header-object.js'
export { type GetHeader, type HeaderNames, headerNames } from './codec/headers.js'
export { asciiJson, decodeJsonObject, MAX_JSON_DEPTH } from './codec/json.js'
export { decodePayment, encodePayment, type PaymentHeader } from './codec/payment.js'
export { decodeRequirements, encodeRequirements, hasV1Form } from './codec/requirements.js'
export {
  DEFAULT_RETRY_AFTER,
  decodeReceipt,
  decodeSettlement,
  encodeReceipt,
  encodeSettlement,
} from './codec/settlement.js'
export type { DialectTerms, HeaderDialect } from './dialect/dialect.js'
export type { ErrorCode } from './errors/code-names.js'
export { type ErrorInfo, errorCodes, errorInfo } from './errors/codes.js'
export { isErrorCode } from './errors/is-error-code.js'
export { PROBLEM_TYPE, type Problem, problem } from './errors/problem.js'
export { type ErrorContext, X402Error } from './errors/x402-error.js'
export { notify, type OnEvent, type X402Event } from './events.js'
export type {
  AnsweredPayment,
  BindingContext,
  BoundPayment,
  ChallengeSource,
  ExtensionClient,
  PaymentContext,
} from './extension/client.js'
export { checkEcho } from './extension/echo.js'
export { defineExtension, type ExtensionData, type ExtensionHalf, extensionInfo } from './extension/extension.js'
export type { ExtensionFacilitator, ObservedPayment } from './extension/facilitator.js'
export type {
  Admission,
  DeclaredExtension,
  ExtensionChallenge,
  ExtensionRequest,
  ExtensionRoute,
  ExtensionServer,
  GrantedScope,
  Guarded,
  GuardedPayment,
  RepeatedPayment,
  SettledPayment,
} from './extension/server.js'
export type { CallOptions, Facilitator } from './facilitator.js'
export { canonicalAddress, findRepeated, sameAddress } from './model/address.js'
export { type Asset, findAsset, findTicker } from './model/asset.js'
export { assetByAddress, assetByTicker, defaultAssets } from './model/assets.js'
export { eip3009Assets, evmAssets } from './model/evm-assets.js'
export { isPid, type Pid, paymentId, type Rid, requirementsId } from './model/identity.js'
export { canonicalJson, isJsonObject, type Json, type JsonObject } from './model/json.js'
export {
  ATOMIC_PATTERN,
  formatUnits,
  MAX_ATOMIC,
  type Money,
  parseAtomic,
  parseMoney,
  parseUnits,
} from './model/money.js'
export {
  CAIP2_PATTERN,
  isNetwork,
  type Network,
  network,
  networkByV1Name,
  networkFamily,
  networkReference,
  v1NameOf,
  v1Names,
} from './model/network.js'
export { type Decoded, type Refusal, refuse, type Settlement, type Verdict } from './model/outcome.js'
export type {
  PaymentPayload,
  PaymentRequired,
  PaymentRequirements,
  Receipt,
  ResourceInfo,
  Supported,
  SupportedKind,
  X402Version,
} from './model/payment.js'
export { sha256Hex } from './model/sha256.js'
export { svmAssets } from './model/svm-assets.js'
export { type Clock, compose, type Fetch, type Random, systemClock, systemRandom, type Wrap } from './ports.js'
export { judgeAccepted } from './scheme/accepted.js'
export type { PrepareContext, PreparedPayment, SchemeClient } from './scheme/client.js'
export { assertSignersDiffer } from './scheme/distinct-signers.js'
export type { BalanceChange, PaymentEffect, Simulate } from './scheme/effect.js'
export type {
  CallGroups,
  ChainDriver,
  ChainHead,
  ChainOutcome,
  NodeStatus,
  SchemeFacilitator,
  SendOutcome,
  SentTransaction,
  SignedTransaction,
  SignOptions,
  VerifyOptions,
} from './scheme/facilitator.js'
export { createHolds, type Holds } from './scheme/holds.js'
export {
  createMadeTransfers,
  MAX_TRANSFER_AGE_SECONDS,
  type MadeTransfer,
  type MadeTransfers,
  type TransferSource,
} from './scheme/made-transfers.js'
export { defineScheme, findScheme, type SchemeData, type SchemeHalf } from './scheme/scheme.js'
export type {
  InspectContext,
  InspectedPayment,
  Inspection,
  OfferTerms,
  RefusedPayment,
  SchemeServer,
} from './scheme/server.js'
export type { ReadSignable, SignableTransfer, SignerHalf } from './scheme/signer.js'
export { type JudgedTransfer, type TransferJudge, withTransferJudge } from './scheme/transfer-judge.js'
export { inspectTransferWord, type TransferWord } from './scheme/transfer-word.js'
export type { ChainTransfer, TransferReader } from './scheme/transfers.js'
