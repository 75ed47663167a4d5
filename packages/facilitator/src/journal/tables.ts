import { type Generated, type JoinBuilder, type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely'
import { type AttemptStatus, liveStatuses, type Phase, type RideStatus, type SettlementState } from './state.js'

/** The tables of the journal. Amounts are decimal text, `valid_before` is in seconds, every other time in milliseconds. */
export type JournalTables = {
  settlement: {
    /** By this other tables know it: it grows with the journal, where a pid would lie anywhere. */
    id: Generated<number>
    pid: string
    rid: string
    network: string
    scheme: string
    payer: string
    pay_to: string
    asset: string
    amount: string
    valid_before: number
    state: SettlementState
    /** What is looked after, and why; it follows from the state. */
    phase: Phase | null
    /** The block that its evidence names. */
    block: number | null
    /** Registry code of a refusal. */
    reason: string | null
    /** Words of a refusal that are safe to show. */
    detail: string | null
    /** The replica that carries it; nobody yet while it is null. */
    owner: string | null
    /** The signer that the payment itself names. */
    signer: string | null
    /** Who had it claimed, where that is known. */
    tenant: string | null
    /** How much has been told of it: what is told next has this number. */
    told: number
    /** Its place among the payer's claims: a payer's means go to the earlier ones first. */
    place: number
    /** When it was first claimed. */
    created_at: number
    updated_at: number
  }
  /** What was asked for, as JSON, so that a restart can go on. It holds the payer's signature: it never leaves the process. Absent when it is archived. */
  request: { settlement: number; body: string }
  /** Bytes that were signed. Those that outbid each other share a slot. */
  attempt: {
    hash: string
    slot: string
    network: string
    signer: string
    nonce: number | null
    raw: string
    status: AttemptStatus
    /** What the chain's driver decided for it (fees, gas), as JSON. */
    details: string | null
    /** What it may cost at the most, in the chain's own coin. */
    max_cost: string | null
    /** What it did cost. */
    fee: string | null
    signed_at: number
    sent_at: number | null
  }
  /** Which payments a slot carries. */
  ride: { slot: string; settlement: number; status: RideStatus }
  /** A signer on a chain: its next nonce, and which replica may use it. Every holder has a higher fence than the one before. */
  lane: {
    network: string
    signer: string
    next: number
    owner: string | null
    fence: number
    lease_until: number
  }
  /** A chain, and how often the journal learnt of blocks that it undid. */
  chain: { network: string; undone: number }
  /** Processes that share this journal, where they run, and the networks whose nodes answer them, with spaces between. */
  replica: { id: string; host: string; process: number; lease_until: number; reaches: string }
  /** What is kept of a payer to protect from it: how many claims there were, and lately how many transactions that failed. */
  payer: { network: string; payer: string; claims: number; failures: number; failing_since: number }
  evidence: {
    settlement: number
    network: string
    transaction: string
    log_index: number
    block_number: number
    block_hash: string
    amount: string
    fee: string | null
    found_at: number
  }
  /** What happened, in chains: each entry has the hash of the one before it by the same writer. */
  event: {
    writer: string
    seq: number
    pid: string
    from_state: SettlementState | null
    to_state: SettlementState
    at: number
    code: string | null
    /** When its payment was first claimed. Events of one payment are found by this: it grows with the journal, where a pid would lie anywhere. */
    claimed_at: number
    prev_hash: string
    hash: string
  }
  /** Where a chain of events begins here: what came before is in an archive. */
  chain_start: { writer: string; seq: number; hash: string }
  /** What others have to be told; written with the change itself. */
  outbox: {
    id: string
    topic: string
    pid: string
    payload: string
    /** The first thing that is told of a payment has 0. */
    turn: number
    created_at: number
    published_at: number | null
  }
  /** Who still has to be told what; a row goes away when they have been. `lease_until` and `due_at` are the database's time. */
  delivery: {
    id: string
    message: string
    endpoint: string
    pid: string
    turn: number
    status: 'waiting' | 'dead'
    tries: number
    due_at: number
    owner: string | null
    lease_until: number
    /** What the last try came to. */
    said: string | null
    created_at: number
  }
  /** Token buckets that all replicas share: thousandths of a token that were left, and when. */
  quota: { key: string; left: number; at: number }
}

/** A payment as it is read. */
export type SettlementRow = Selectable<JournalTables['settlement']>

/** A payment that has no id yet. */
export type FreshSettlement = Omit<SettlementRow, 'id'>

/**
 * A payment's phase is one of these, written out: an index over some phases serves a query only that names the same ones as constants.
 *
 * @example
 * db.selectFrom('settlement').selectAll().where(inPhases(openPhases))
 */
export function inPhases(phases: readonly Phase[]): RawBuilder<SqlBool> {
  return sql<SqlBool>`phase in (${sql.join(phases.map((phase) => sql.lit(phase)))})`
}

/** The same of a place in a transaction: what it comes to is open. */
export const isLiveRide: RawBuilder<SqlBool> = sql<SqlBool>`ride.status = 'live'`

/**
 * Joins a settlement with its events, by the index they have. Replicas of an edition that did not know of it may go on for a while: their entries have no
 * time of the claim, and are few.
 *
 * @example
 * db.selectFrom('settlement').innerJoin('event', eventsOfIt)
 */
export function eventsOfIt(join: JoinBuilder<JournalTables, 'settlement' | 'event'>) {
  return join
    .onRef('event.pid', '=', 'settlement.pid')
    .on((on) => on('event.claimed_at', 'in', [on.ref('settlement.created_at'), on.lit(0)]))
}

/** The same of an attempt: it may still land. */
export const isLiveAttempt: RawBuilder<SqlBool> = sql<SqlBool>`status in (${sql.join(liveStatuses.map((status) => sql.lit(status)))})`
