import type { ErrorCode } from '../errors/code-names.js'
import type { JsonObject } from '../model/json.js'
import type { Network } from '../model/network.js'
import type { Refusal, Verdict } from '../model/outcome.js'
import type { PaymentPayload, PaymentRequirements, SupportedKind } from '../model/payment.js'
import type { SchemeHalf } from './scheme.js'
import type { InspectContext, Inspection } from './server.js'

/**
 * The facilitator's half of a scheme, for the networks it was made for.
 *
 * It decides and it reads the chain; it keeps no state and sends nothing by itself. The settlement engine calls, in this order:
 * `inspect` (identity) → claim in the journal → `verify` (again, at the current state) → `prepare` → journal → `ChainDriver.sign` →
 * journal → `ChainDriver.send` → `outcome` until it is final.
 */
export interface SchemeFacilitator<Call = unknown> extends SchemeHalf {
  readonly networks: readonly Network[]
  /** The chains by network; a lane of the engine is one signer on one of them. */
  readonly chains: readonly ChainDriver<Call>[]
  /** Extensions that are understood here, as `/supported` lists them. */
  readonly extensions?: readonly string[]
  /** One kind per version and network, as `/supported` lists them. */
  kinds(): readonly SupportedKind[]
  /** Reads a payment against the terms, without a chain. */
  inspect(payment: PaymentPayload, requirements: PaymentRequirements, now: InspectContext): Inspection
  /**
   * Who has to sign the transaction, where the payment itself says so; absent, or `undefined`, where any signer of the chain will do. Asked of payments
   * that have been inspected.
   */
  signerOf?(payment: PaymentPayload, requirements: PaymentRequirements): string | undefined
  /**
   * What shows that the payer made this payment, in one spelling: the outcome of a payment is told to nobody who shows another. Absent where
   * that is the whole payload. Asked of payments that have been inspected.
   */
  proofOf?(payment: PaymentPayload, requirements: PaymentRequirements): string
  /**
   * Whether it can be asked for anew once it is dead: a wish, of which nothing can land any more then and which nothing uses up. Absent where no payment
   * can be.
   */
  renews?(payment: PaymentPayload): boolean
  /** Every check there is, at the current state of the chain. Throws `X402Error` when the chain cannot be asked: that is no verdict. */
  verify(payment: PaymentPayload, requirements: PaymentRequirements, options: VerifyOptions): Promise<Verdict>
  /**
   * Does what has to be on chain before the payment's own transaction can be made, such as an approval that the payer signed along; asked after
   * a verification, when settling. Harmless to repeat. Absent where nothing ever has to. Throws like `verify`.
   */
  enable?(payment: PaymentPayload, requirements: PaymentRequirements, options: VerifyOptions): Promise<Verdict>
  /**
   * What has to be sent so that the payment settles; `undefined` when nothing has to: it is settled, and used up, as it is. Asked right after a
   * verification. A promise only where that depends on the chain: whether a wallet exists yet.
   */
  prepare(payment: PaymentPayload, requirements: PaymentRequirements): Call | undefined | Promise<Call | undefined>
  /**
   * What the chain says became of a payment: by the hashes that were sent for it, and by the payment's own mark on chain (its nonce),
   * so that a payment which somebody else landed is found too.
   */
  outcome(
    payment: PaymentPayload,
    requirements: PaymentRequirements,
    sent: readonly SentTransaction[],
  ): Promise<ChainOutcome>
  /** What a receipt says besides, read anew for each answer. */
  receiptExtra?(payment: PaymentPayload, requirements: PaymentRequirements): Promise<JsonObject | undefined>
}

/** How a verification is run. */
export type VerifyOptions = InspectContext & {
  /** The account that would send the transaction: simulations run as it. */
  readonly signer?: string
  /** Atomic units of the same asset that other payments of this payer, which are under way, will take: the payer must have them too. */
  readonly reserved?: bigint
  /** A block in which the payer's money has moved: what is asked shows no older state. Throws where the node is behind it; chains that cannot tell ignore it. */
  readonly since?: bigint
}

/** A transaction that left us, or was about to. */
export type SentTransaction = {
  readonly hash: string
  readonly signer: string
  /** The account's sequence number; absent on chains without one. */
  readonly nonce?: bigint
  /** What was decided for it, for the journal: fees, gas, how long it can land. */
  readonly details?: JsonObject
}

/** One chain as the engine needs it. Transport faults are thrown as `X402Error` `rpc_unreachable` or `rpc_invalid_answer`. */
export interface ChainDriver<Call = unknown> {
  readonly network: Network
  /** Accounts that pay for gas. */
  readonly signers: readonly string[]
  /** Checks that the node serves this network and is usable. Throws `X402Error` `rpc_wrong_chain`. */
  ready(): Promise<void>
  /** The next free sequence number of a signer as the chain sees it, with what waits in its pool; absent on chains without one. */
  nextNonce?(signer: string): Promise<bigint>
  /** The sequence number below which everything of a signer is in a block; absent on chains without one. */
  minedNonce?(signer: string): Promise<bigint>
  /** Builds and signs. Nothing is sent: the engine writes the result down first. Throws `fee_above_limit`. */
  sign(call: Call, as: SignOptions): Promise<SignedTransaction>
  /** The least `maxCost` within which `sign` would sign a call right now; nothing is signed. Throws what `sign` does. Absent where `maxCost` limits nothing. */
  price?(call: Call): Promise<bigint>
  /**
   * Sends bytes that are already in the journal. Sending the same bytes again is harmless. `wait`: blocks come so fast that the answer may wait
   * for the one with it, where the node can do that.
   */
  send(transaction: SignedTransaction, wait?: boolean): Promise<SendOutcome>
  /** Transactions of a signer that nodes keep waiting at one time; absent, or `undefined`: as many as anybody wants. */
  mostPending?(signer: string): number | undefined
  /** How several payments travel in one transaction; absent where each needs its own. */
  readonly groups?: CallGroups<Call>
  /** A call that moves nothing, to use up a sequence number that nothing else will use. */
  idle?(signer: string): Call
  /** Where the chain stands; absent: what counts as settled is final. */
  head?(): Promise<ChainHead>
  /** The hash of the block at a height, `undefined` when there is none; absent: only `outcome` can tell whether a block is still there. */
  blockHash?(blockNumber: bigint): Promise<string | undefined>
  /** What a signer has for fees, in the chain's own coin. */
  gasBalance?(signer: string): Promise<bigint>
  /** How the nodes behind it stand; absent where that is not known. */
  nodes?(): readonly NodeStatus[]
  close?(): Promise<void>
}

/** How a transaction is signed. */
export type SignOptions = {
  readonly signer: string
  readonly nonce?: bigint
  /** Fees of the transactions that it has to outbid, because they have the same sequence number. */
  readonly outbids?: readonly SentTransaction[]
  /** What it may cost at the most, in the chain's own coin, besides the chain's own limit. */
  readonly maxCost?: bigint
}

/** Where a chain stands: heights of its newest block, of the newest that is safe, and of the newest that can not be undone. */
export type ChainHead = { readonly latest: bigint; readonly safe: bigint; readonly final: bigint }

/** Joins calls in one transaction, where one that fails takes no other with it. */
export interface CallGroups<Call> {
  /** Whether a call can travel with others at all, as far as that is known. */
  joins(call: Call): boolean
  /** Which of these calls leave in one transaction with the first: their places, in order, 0 always among them. */
  company(calls: readonly Call[]): readonly number[]
  /** Asks the chain whether a call is harmless for those that it travels with. */
  admits(call: Call): Promise<boolean>
  /** One call that makes all of them. */
  join(calls: readonly Call[]): Call
}

/** How a node stands, for operators. */
export type NodeStatus = {
  /** Its host and port, never its path: that is often a key. */
  readonly host: string
  /** `failing`: asked after the others; `down`: left alone but for a question now and then; `behind`: its newest block is too old. */
  readonly state: 'up' | 'behind' | 'failing' | 'down'
  /** Failures in a row. */
  readonly failures: number
  /** Blocks behind the foremost node. */
  readonly lag: bigint
  /** Its newest block, where there are several nodes to compare. */
  readonly head?: bigint
  readonly latencyMs?: number
  readonly fault?: ErrorCode
}

/** A signed transaction: the bytes, and what they will be known by. */
export type SignedTransaction = SentTransaction & {
  /** The bytes as the chain's RPC takes them, as text. */
  readonly raw: string
  /** What it may cost at the most, in the chain's own coin; absent where that is not known. */
  readonly maxCost?: bigint
}

/** What the node said to a transaction. Everything that is not certain is `unknown`. */
export type SendOutcome =
  /** `included`: it is in a block already. */
  | { readonly status: 'accepted'; readonly included?: true }
  | { readonly status: 'unknown'; readonly reason: string }
  /** A block has the nonce: it went to these bytes, or to another transaction. */
  | { readonly status: 'nonce_taken' }
  /** The node refuses for a reason that lasts: no gas money, fee too low. The bytes may still land later. */
  | { readonly status: 'rejected'; readonly code: ErrorCode }

/** What became of a payment on chain. */
export type ChainOutcome =
  /** Value moved as agreed. One log (or balance change) credits one payment. */
  | {
      readonly status: 'settled'
      readonly transaction: string
      readonly logIndex: number
      readonly blockNumber: bigint
      readonly blockHash: string
      /** Atomic units that moved. */
      readonly amount: bigint
      /** Cost of the transaction in the chain's own coin, where it was ours. */
      readonly fee?: bigint
    }
  /**
   * Nothing final yet. `alone`: what was signed may still move the money, though it seems to be over, and nothing on chain would keep a second
   * transaction from moving it once more. Nothing else is signed then.
   */
  | { readonly status: 'pending'; readonly alone?: true }
  /** One of ours was included, in this block where that is known, and failed. The payment itself may still be alive. */
  | {
      readonly status: 'reverted'
      readonly transaction: string
      readonly blockNumber?: bigint
      readonly refusal: Refusal
    }
  /** It can never settle any more: used for something else, cancelled, or expired on chain. */
  | { readonly status: 'dead'; readonly refusal: Refusal }
