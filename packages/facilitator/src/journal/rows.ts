import {
  isErrorCode,
  type JsonObject,
  type Network,
  type Pid,
  type Refusal,
  type Rid,
  type SignedTransaction,
} from '@groat/core'
import type { Selectable } from 'kysely'
import {
  type Attempt,
  type Claim,
  type Evidence,
  type SettledPayment,
  type SettlementRecord,
  slotOf,
} from './record.js'
import { type AttemptStatus, isLive, phases, type RideStatus } from './state.js'
import type { FreshSettlement, JournalTables } from './tables.js'

// Rows to values and back: the one place that casts.

export function rowOf(
  claim: Claim,
  { owner, place, now }: { readonly owner: string | null; readonly place: number; readonly now: number },
): FreshSettlement {
  const { pid, rid, payer, expiresAt, signer, tenant, request } = claim
  const { network, scheme, payTo, asset, amount } = request.requirements
  return {
    pid,
    rid,
    network,
    scheme,
    payer,
    pay_to: payTo,
    asset,
    amount: amount.toString(),
    valid_before: expiresAt,
    state: 'claimed',
    phase: phases.claimed,
    block: null,
    reason: null,
    detail: null,
    owner,
    signer: signer ?? null,
    tenant: tenant ?? null,
    told: 0,
    place,
    created_at: now,
    updated_at: now,
  }
}

export function recordOf(
  row: FreshSettlement & { readonly body: string | null },
  attempts: readonly Attempt[],
  evidence: Evidence | undefined,
): SettlementRecord {
  return { requestText: row.body ?? '', attempts, ...settledOf(row, evidence) }
}

export function settledOf(row: FreshSettlement, evidence: Evidence | undefined): SettledPayment {
  return {
    pid: row.pid as Pid,
    rid: row.rid as Rid,
    network: row.network as Network,
    scheme: row.scheme,
    payer: row.payer,
    payTo: row.pay_to,
    asset: row.asset,
    amount: BigInt(row.amount),
    expiresAt: row.valid_before,
    state: row.state,
    place: row.place,
    ...(row.owner === null ? {} : { owner: row.owner }),
    ...(row.signer === null ? {} : { signer: row.signer }),
    ...(row.tenant === null ? {} : { tenant: row.tenant }),
    ...(row.reason === null ? {} : { refusal: refusalOf(row.reason, row.detail) }),
    ...(evidence === undefined ? {} : { evidence }),
  }
}

function refusalOf(reason: string, detail: string | null): Refusal {
  const code = isErrorCode(reason) ? reason : 'unexpected_settle_error'
  return detail === null ? { ok: false, code } : { ok: false, code, detail }
}

export function attemptRow(network: Network, transaction: SignedTransaction, now: number): JournalTables['attempt'] {
  const { hash, signer, nonce, raw, details, maxCost } = transaction
  return {
    hash,
    slot: slotOf(network, transaction),
    network,
    signer,
    nonce: nonce === undefined ? null : Number(nonce),
    raw,
    status: 'signed',
    details: details === undefined ? null : JSON.stringify(details),
    max_cost: maxCost?.toString() ?? null,
    fee: null,
    signed_at: now,
    sent_at: null,
  }
}

/**
 * A transaction as one payment sees it that travels in it: `ride` says what became of that payment's place. While nothing is said of that, it may have landed,
 * whatever others that travel in it have found, and it has to be asked.
 */
export function attemptOf(row: Selectable<JournalTables['attempt']>, ride?: RideStatus): Attempt {
  const { hash, signer, nonce, raw, details, status, slot, max_cost: maxCost } = row
  const transaction = {
    hash,
    signer,
    raw,
    ...(nonce === null ? {} : { nonce: BigInt(nonce) }),
    ...(details === null ? {} : { details: JSON.parse(details) as JsonObject }),
    ...(maxCost === null ? {} : { maxCost: BigInt(maxCost) }),
  }
  const isUnsaid = ride === 'live' && !isLive({ status })
  return { transaction, slot, status: isUnsaid ? 'sent' : statusIn(ride ?? 'live', status) }
}

/** What became of a transaction for one of the payments that travel in it. */
export function statusIn(ride: RideStatus, status: AttemptStatus): AttemptStatus {
  return ride === 'live' || status === 'void' ? status : ride
}

export function evidenceRow(
  { network }: SettlementRecord,
  { transaction, logIndex, blockNumber, blockHash, amount, fee }: Evidence,
  now: number,
): Omit<JournalTables['evidence'], 'settlement'> {
  return {
    network,
    transaction,
    log_index: logIndex,
    block_number: Number(blockNumber),
    block_hash: blockHash,
    amount: amount.toString(),
    fee: fee?.toString() ?? null,
    found_at: now,
  }
}

/** What is left of evidence beside its payment, in one row; null all of it when there is none. */
type Credit = {
  readonly [Column in 'transaction' | 'log_index' | 'block_number' | 'block_hash' | 'fee']:
    | JournalTables['evidence'][Column]
    | null
} & { readonly credited: string | null }

export function creditOf(row: Credit): Evidence | undefined {
  const { transaction, log_index: logIndex, block_number, block_hash: blockHash, credited, fee } = row
  if (transaction === null || logIndex === null || blockHash === null) return undefined
  return {
    transaction,
    logIndex,
    blockNumber: BigInt(block_number ?? 0),
    blockHash,
    amount: BigInt(credited ?? 0),
    ...(fee === null ? {} : { fee: BigInt(fee) }),
  }
}
