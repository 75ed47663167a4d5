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
  readonly request: FacilitatorRequest
  /** The request as JSON. */
  readonly requestText: string
}

/** A transaction of ours for a payment. */
export type Attempt = { readonly transaction: SignedTransaction; readonly status: AttemptStatus }

/** What the chain showed: one log, which credits one payment. */
export type Evidence = {
  readonly transaction: string
  readonly logIndex: number
  readonly blockNumber: bigint
  readonly blockHash: string
  /** Atomic units that moved. */
  readonly amount: bigint
  /** Cost of the transaction in the chain's own coin, where it was ours. */
  readonly fee?: bigint
}

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
  if (state === 'settled') return { status: 'settled', receipt: receiptOf(record, record.evidence) }
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
  const last = record.attempts.at(-1)?.transaction.hash
  return { status: 'unknown', retryAfter, payer, ...(last === undefined ? {} : { transaction: last }) }
}

/** Without evidence nothing was charged. */
function receiptOf({ payer, network }: SettlementRecord, evidence: Evidence | undefined): Receipt {
  return { payer, network, transaction: evidence?.transaction ?? '', amount: evidence?.amount ?? 0n }
}
