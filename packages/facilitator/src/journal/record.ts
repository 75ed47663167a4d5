import type {
  ErrorCode,
  FacilitatorRequest,
  Network,
  Pid,
  Receipt,
  Refusal,
  Rid,
  Settlement,
  SignedTransaction,
} from '@groat/core'
import type { AttemptStatus, SettlementState } from './state.js'

/** What is written down before anything is done: which payment, under which terms, and all that a restart needs to go on. */
export type Claim = {
  readonly pid: Pid
  readonly rid: Rid
  readonly payer: string
  /** Seconds since 1970. */
  readonly expiresAt: number
  /** The signer that the payment itself names. */
  readonly signer?: string
  /** Who has it claimed. */
  readonly tenant?: string
  readonly request: FacilitatorRequest
  /** The request as JSON. */
  readonly requestText: string
}

/** A transaction of ours for a payment. Those that outbid each other have the same nonce, and so the same slot. */
export type Attempt = {
  readonly transaction: SignedTransaction
  readonly status: AttemptStatus
  readonly slot: string
}

/**
 * What one nonce of one signer is called in the journal; on chains without nonces every transaction stands for itself.
 *
 * @example
 * slotOf(network('base'), transaction) // 'eip155:8453 0xf1… 7'
 */
export function slotOf(network: Network, { signer, nonce, hash }: SignedTransaction): string {
  return nonce === undefined ? `${network} ${hash}` : `${network} ${signer} ${nonce}`
}

/** What the chain showed: one log, which credits one payment. */
export type Evidence = {
  readonly transaction: string
  readonly logIndex: number
  readonly blockNumber: bigint
  readonly blockHash: string
  /** Atomic units that moved. */
  readonly amount: bigint
  /** Cost of the whole transaction in the chain's own coin, where it was ours. */
  readonly fee?: bigint
}

/** A payment without what was asked for and sent: what is known of one that only waits for its block to be final. */
export type SettledPayment = Omit<SettlementRecord, 'requestText' | 'attempts'>

/** Everything the journal knows of one payment. */
export type SettlementRecord = {
  readonly pid: Pid
  readonly rid: Rid
  readonly network: Network
  readonly scheme: string
  readonly payer: string
  readonly payTo: string
  readonly asset: string
  /** Atomic units that the terms ask for. */
  readonly amount: bigint
  /** Seconds since 1970. */
  readonly expiresAt: number
  readonly state: SettlementState
  readonly refusal?: Refusal
  /** The replica that carries it. */
  readonly owner?: string
  /** The signer that the payment itself names. */
  readonly signer?: string
  /** Who had it claimed. */
  readonly tenant?: string
  /** Its place among the payer's claims. */
  readonly place: number
  readonly requestText: string
  /** In the order in which they were signed. */
  readonly attempts: readonly Attempt[]
  readonly evidence?: Evidence
}

/**
 * What the journal answers to "what became of it?": settled and refused as they stand there, and `unknown` for all that is open.
 *
 * @example
 * settlementOf(record, 2).status
 */
export function settlementOf(record: SettlementRecord, retryAfter: number): Settlement {
  const { state, payer, refusal } = record
  if (state === 'settled' || state === 'final') {
    return { status: 'settled', receipt: receiptOf(record, record.evidence) }
  }
  if (state === 'refused' || state === 'dead') {
    const code: ErrorCode = refusal?.code ?? 'unexpected_settle_error'
    const failed = record.attempts.findLast(({ status }) => status === 'failed')?.transaction.hash
    return {
      status: 'refused',
      code,
      payer,
      ...(refusal?.detail === undefined ? {} : { detail: refusal.detail }),
      ...(failed === undefined ? {} : { transaction: failed }),
    }
  }
  const last = record.evidence?.transaction ?? record.attempts.at(-1)?.transaction.hash
  return { status: 'unknown', retryAfter, payer, ...(last === undefined ? {} : { transaction: last }) }
}

/**
 * Without evidence nothing was charged. Where the transaction carries several payments, or is somebody else's and may, the log says which
 * part of it is this one's.
 */
function receiptOf({ payer, network, attempts }: SettlementRecord, evidence: Evidence | undefined): Receipt {
  if (evidence === undefined) return { payer, network, transaction: '', amount: 0n }
  const { transaction, amount, logIndex } = evidence
  const ours = attempts.find(({ transaction: { hash } }) => hash === transaction)
  const isAlone = ours !== undefined && ours.transaction.details?.payments === undefined
  return { payer, network, transaction, amount, ...(isAlone ? {} : { extra: { logIndex } }) }
}
