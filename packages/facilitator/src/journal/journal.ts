import { type Clock, type Network, type Pid, type Refusal, type SignedTransaction, systemRandom } from '@groat/core'
import type { Store } from '@groat/store'
import type { Transaction } from 'kysely'
import type { Batch, Write } from './batch.js'
import { createLeases, type Leases } from './leases.js'
import { createOutbox, type Outbox } from './outbox.js'
import { type Attempt, type Claim, type Evidence, type SettlementRecord, slotOf } from './record.js'
import { attemptOf, attemptRow, evidenceRow, recordOf, rowOf } from './rows.js'
import { carriedStates, liveStatuses, openStates, type SettlementState, watchedStates } from './state.js'
import { inStates, isLiveAttempt, type JournalTables, journalMigrations } from './tables.js'
import { createWriter } from './writer.js'

/** What became of a write: the record as it stands now, or `moved` when somebody else has moved it on and it has to be read again. */
export type Written = SettlementRecord | 'moved'

/** What became of a claim. `taken`: the payment is known. A payer with too much under way, or too many failures of late, takes nothing on. */
export type Claimed =
  | {
      readonly status: 'won'
      readonly record: SettlementRecord
      /** Atomic units of the same asset that earlier claims of this payer, still open, will take. */
      readonly reserved: bigint
    }
  | { readonly status: 'taken' | 'too_many_open' | 'too_many_failures' }

/** Who may sign in a lane: a holder whose fence is not the lane's any more can write nothing there. */
export type Hold = { readonly fence: number }

/** What protects the facilitator from a payer. */
export type PayerLimits = {
  /** Payments that one payer may have open at a time. */
  readonly open: number
  /** Transactions of one payer that may fail on our gas in an hour. */
  readonly failures: number
}

/**
 * The one source of truth. Every write takes the record it was decided on, holds only while the row still stands there, and is durable
 * when it answers; writes that wait together are one transaction. Throws `X402Error` `store_busy` or `store_unavailable`.
 */
export interface Journal {
  /** This process, as the journal knows it. */
  readonly replica: string
  readonly leases: Leases
  readonly outbox: Outbox
  migrate(): Promise<void>
  /** Throws when the database cannot be read. */
  ready(): Promise<void>
  /**
   * Takes a payment on, unless it is already known, with its place among the payer's means, both or neither. A payment that was refused
   * before anything was signed is not known. `owner`: who carries it; nobody yet when it is null.
   */
  claim(claim: Claim, owner: string | null): Promise<Claimed>
  load(pid: Pid): Promise<SettlementRecord | undefined>
  loadAll(pids: readonly Pid[]): Promise<readonly SettlementRecord[]>
  /** Atomic units that earlier claims of the same payer, still open, will take of the same asset. */
  reserved(record: SettlementRecord): Promise<bigint>
  /** Every record that somebody still has to carry to an end, or to watch, and that is nobody's living: it is this replica's from now on. */
  adopt(): Promise<readonly SettlementRecord[]>
  /** Payments that were claimed by who cannot sign for them: some of them are this replica's from now on. */
  take(networks: readonly Network[], signers: readonly string[]): Promise<readonly SettlementRecord[]>
  /** Lets a payment go, for nothing is signed and this replica cannot sign. */
  give(record: SettlementRecord): Promise<Written>
  /**
   * Writes the bytes down, for every payment in them, and uses the nonce up: all or nothing. `nonce_used`: the journal is already past that
   * nonce. `lost`: somebody else holds the lane. Payments that have moved on are named, and nothing is written.
   */
  signed(
    records: readonly SettlementRecord[],
    transaction: SignedTransaction,
    hold: Hold | undefined,
  ): Promise<readonly SettlementRecord[] | 'nonce_used' | 'lost' | { readonly moved: readonly Pid[] }>
  /** Writes bytes down for a nonce that is already used up: they outbid what was signed under it, or fill a gap. */
  outbid(network: Network, transaction: SignedTransaction, hold: Hold | undefined): Promise<'written' | 'lost'>
  /** A node has taken the bytes. */
  sent(record: SettlementRecord, transaction: SignedTransaction): Promise<Written>
  /** The payment's place in a transaction is worth nothing any more. */
  closed(record: SettlementRecord, attempt: Attempt, as: 'failed' | 'void'): Promise<Written>
  /** Nothing was signed, and nothing will be for this presentation. */
  refused(record: SettlementRecord, refusal: Refusal): Promise<Written>
  /** Proven: it can never settle. Transactions without a nonce die with it; of the others the nonce has still to go. */
  dead(record: SettlementRecord, refusal: Refusal): Promise<Written>
  /** Settled with nothing sent: nothing was charged, and the payment is used up. */
  waived(record: SettlementRecord): Promise<Written>
  /** Credits a log: settled, or mined while its block is not deep enough. `credited`: that log already credits another payment. */
  settled(record: SettlementRecord, evidence: Evidence, as?: 'mined' | 'settled'): Promise<Written | 'credited'>
  /** The block of the evidence cannot be undone any more. */
  final(record: SettlementRecord): Promise<Written>
  /** The block of the evidence is gone, and the evidence with it. */
  reorged(record: SettlementRecord): Promise<Written>
  /** So many settlements of this replica whose block may still be undone, from the oldest block or from the newest one. */
  watched(network: Network, from: 'oldest' | 'newest', limit: number): Promise<readonly SettlementRecord[]>
  /** What a lane starts from. */
  lane(network: Network, signer: string): Promise<LaneState>
  /** Nonces below are gone: what was signed under them can do nothing any more, unless it has landed. */
  spent(hashes: readonly string[]): Promise<void>
  /** A chain that has undone blocks wants everything from a nonce on again. */
  reopen(network: Network, signer: string, from: bigint): Promise<void>
  /** Payments that travel in a slot. */
  riders(slot: string): Promise<readonly SettlementRecord[]>
  /** What transactions signed since then have cost, or may. Times in milliseconds. */
  spending(network: Network, since: number): Promise<readonly Spending[]>
}

/** What one transaction has cost, or may. */
export type Spending = { readonly hash: string; readonly at: number; readonly cost: bigint }

/** A signer's standing in the journal. */
export type LaneState = {
  /** The next nonce; absent when none was ever used. */
  readonly next?: bigint
  /** Transactions that may still land, lowest nonce first. `ended`: their payments are over, only their nonce still matters. */
  readonly open: readonly (Attempt & { readonly pids: readonly Pid[]; readonly ended: boolean })[]
}

/** What a journal is made of. */
export type JournalOptions = {
  readonly store: Store
  readonly clock: Clock
  /** By this the process is known to others on the same journal; drawn at random unless told. */
  readonly replica?: string
  readonly limits?: PayerLimits
  /** Whether what happens to payments is also put into the outbox. */
  readonly tells?: boolean
}

/** Makes the journal over a store. */
export function createJournal(options: JournalOptions): Journal {
  const { clock, limits = NO_LIMITS, tells = false } = options
  const store = options.store.withTables<JournalTables>()
  const { db } = store
  const replica = options.replica ?? Buffer.from(systemRandom(8)).toString('hex')
  const { write } = createWriter({ store, clock, writer: replica, tells })
  const leases = createLeases(store, replica)

  /** A write that is decided by where one record stands: it holds only while that is where the caller saw it. */
  function step<T>(
    record: SettlementRecord,
    decide: (batch: Batch) => T,
    more: Partial<Pick<Write<T>, 'payer' | 'transaction'>> = {},
  ): Promise<T | 'moved'> {
    return write({
      pids: [record.pid],
      ...more,
      decide: (batch) => (batch.standing(record.pid)?.state === record.state ? decide(batch) : 'moved'),
    })
  }

  function end(record: SettlementRecord, state: SettlementState, refusal?: Refusal): Promise<Written> {
    return step(record, (batch) => {
      batch.move(record.pid, state, refusal)
      const attempts = record.attempts.map((attempt): Attempt => {
        const dies = attempt.transaction.nonce === undefined && liveStatuses.some((each) => each === attempt.status)
        if (dies) batch.mark(attempt.transaction.hash, 'void')
        return dies ? { ...attempt, status: 'void' } : attempt
      })
      if (state !== 'refused' && batch.isRiding(record.pid)) batch.alight(record.pid, 'void')
      if (state === 'dead' && refusal !== undefined) batch.publish('refused', record.pid, { code: refusal.code })
      if (state === 'settled') batch.publish('settled', record.pid, { amount: '0' })
      return { ...record, state, attempts, ...(refusal === undefined ? {} : { refusal }) }
    })
  }

  return {
    replica,
    leases,
    outbox: createOutbox(store, clock),

    async migrate() {
      await store.migrate(journalMigrations)
    },

    async ready() {
      await db.selectFrom('lane').select('next').limit(1).execute()
    },

    claim(claim, owner) {
      const { pid, payer } = claim
      const { network, asset } = claim.request.requirements
      return write<Claimed>({
        pids: [pid],
        payer: { network, payer },
        decide(batch) {
          const standing = batch.standing(pid)
          if (standing !== undefined && standing.state !== 'refused') return { status: 'taken' }
          const account = batch.payer(network, payer)
          if (account.open.length >= limits.open) return { status: 'too_many_open' }
          const cooling = batch.now - account.failing_since < FAILURE_WINDOW && account.failures >= limits.failures
          if (cooling) return { status: 'too_many_failures' }
          const same = account.open.filter((open) => open.network === network && open.asset === asset)
          const reserved = same.reduce((sum, { amount }) => sum + BigInt(amount), 0n)
          const row = rowOf(claim, { owner, place: account.claims, now: batch.now })
          batch.claim(row)
          return { status: 'won', record: recordOf(row, [], undefined), reserved }
        },
      })
    },

    async load(pid) {
      const [record] = await readRecords(db, [pid])
      return record
    },

    loadAll: (pids) => readRecords(db, pids),

    async reserved({ network, payer, asset, place, pid }) {
      const rows = await db
        .selectFrom('settlement')
        .select('amount')
        .where('payer', '=', payer)
        .where(inStates(openStates))
        .where('network', '=', network)
        .where('asset', '=', asset)
        .where('place', '<', place)
        .where('pid', '!=', pid)
        .execute()
      return rows.reduce((sum, { amount }) => sum + BigInt(amount), 0n)
    },

    async adopt() {
      const adopted = await store.transaction(
        async (trx) => {
          const now = await store.now(trx)
          return trx
            .updateTable('settlement')
            .set({ owner: replica })
            .where(inStates(carriedStates))
            .where((eb) =>
              eb.or([
                eb('owner', 'is', null).and('state', '!=', 'claimed'),
                eb('owner', 'not in', eb.selectFrom('replica').select('id').where('lease_until', '>', now)),
              ]),
            )
            .returning(['pid', 'state'])
            .execute()
        },
        { isolation: 'read committed' },
      )
      return readRecords(
        db,
        adopted.flatMap(({ pid, state }) => (state === 'settled' ? [] : pid)),
      )
    },

    async take(networks, signers) {
      if (networks.length === 0) return []
      const free = await db
        .selectFrom('settlement')
        .select('pid')
        .where(inStates(['claimed']))
        .where('owner', 'is', null)
        .where('network', 'in', networks)
        .where((eb) => eb.or([eb('signer', 'is', null), eb('signer', 'in', ['', ...signers])]))
        .orderBy('created_at')
        .limit(PAGE)
        .execute()
      if (free.length === 0) return []
      const mine = await write({
        pids: free.map(({ pid }) => pid),
        decide: (batch) =>
          free.flatMap(({ pid }) => {
            const standing = batch.standing(pid)
            if (standing?.state !== 'claimed' || standing.owner !== null) return []
            batch.own(pid, replica)
            return [pid]
          }),
      })
      return readRecords(db, mine)
    },

    give: (record) =>
      step(record, (batch) => {
        batch.own(record.pid, null)
        const { owner: _, ...rest } = record
        return rest
      }),

    signed(records, tx, hold) {
      const { network } = records[0] ?? {}
      if (network === undefined) return Promise.resolve([])
      const { signer, nonce } = tx
      return write({
        pids: records.map(({ pid }) => pid),
        ...(nonce === undefined ? {} : { lane: { network, signer } }),
        decide(batch) {
          const lane = batch.lane(network, signer)
          if (nonce !== undefined && (lane === undefined || lane.fence !== hold?.fence)) return 'lost'
          if (nonce !== undefined && lane !== undefined && lane.next > Number(nonce)) return 'nonce_used'
          const moved = records.filter(({ pid, state, owner }) => {
            const standing = batch.standing(pid)
            return standing?.state !== state || standing.owner !== (owner ?? null) || batch.isRiding(pid)
          })
          if (moved.length > 0) return { moved: moved.map(({ pid }) => pid) }
          if (nonce !== undefined && lane !== undefined) batch.next({ ...lane, next: Number(nonce) + 1 })
          batch.sign(
            attemptRow(network, tx, batch.now),
            records.map(({ pid }) => pid),
          )
          const attempt: Attempt = { transaction: tx, status: 'signed', slot: slotOf(network, tx) }
          return records.map((record) => {
            const state = record.state === 'claimed' ? 'signed' : record.state
            batch.move(record.pid, state)
            return { ...record, state, attempts: [...record.attempts, attempt] }
          })
        },
      })
    },

    outbid(network, tx, hold) {
      const { signer } = tx
      return write({
        pids: [],
        lane: { network, signer },
        decide(batch) {
          const lane = batch.lane(network, signer)
          if (lane === undefined || lane.fence !== hold?.fence) return 'lost'
          const after = Number(tx.nonce ?? 0n) + 1
          if (lane.next < after) batch.next({ ...lane, next: after })
          batch.sign(attemptRow(network, tx, batch.now), [])
          return 'written'
        },
      })
    },

    sent: (record, tx) =>
      step(record, (batch) => {
        batch.mark(tx.hash, 'sent')
        const state = record.state === 'signed' || record.state === 'reorged' ? 'sent' : record.state
        batch.move(record.pid, state)
        const attempts = record.attempts.map(
          (attempt): Attempt =>
            attempt.transaction.hash === tx.hash && attempt.status === 'signed'
              ? { ...attempt, status: 'sent' }
              : attempt,
        )
        return { ...record, state, attempts }
      }),

    closed: (record, { slot, transaction }, as) =>
      step(
        record,
        (batch) => {
          batch.alight(record.pid, as)
          if (as === 'failed') batch.blame(record.network, record.payer, FAILURE_WINDOW)
          return { ...record, attempts: closeSlot(batch, record, slot, transaction.hash, as) }
        },
        { payer: record },
      ),

    refused: (record, refusal) => end(record, 'refused', refusal),
    dead: (record, refusal) => end(record, 'dead', refusal),
    waived: (record) => end(record, 'settled'),

    settled: (record, evidence, as = 'settled') =>
      step(
        record,
        (batch) => {
          const { pid, network } = record
          const { transaction, logIndex, fee, amount } = evidence
          const isSame = record.evidence?.transaction === transaction && record.evidence.logIndex === logIndex
          if (!isSame && batch.isCredited(network, transaction, logIndex)) return 'credited' as const
          if (!isSame) batch.credit(evidenceRow(record, evidence, batch.now))
          batch.move(pid, as)
          const ours = record.attempts.find(({ transaction: { hash } }) => hash === transaction)
          if (ours !== undefined) {
            batch.mark(transaction, 'landed', fee)
            if (batch.isRiding(pid)) batch.alight(pid, 'landed')
          }
          if (as === 'settled') batch.publish('settled', pid, { transaction, logIndex, amount: amount.toString() })
          const attempts =
            ours === undefined ? record.attempts : closeSlot(batch, record, ours.slot, transaction, 'landed')
          return { ...record, state: as, attempts, evidence }
        },
        { transaction: { network: record.network, hash: evidence.transaction } },
      ),

    final: (record) =>
      step(record, (batch) => {
        batch.move(record.pid, 'final')
        batch.publish('final', record.pid, { transaction: record.evidence?.transaction })
        return { ...record, state: 'final' }
      }),

    reorged: (record) =>
      step(record, (batch) => {
        const { evidence, ...rest } = record
        const ours = record.attempts.find(({ transaction: { hash } }) => hash === evidence?.transaction)
        const again = record.attempts.filter(({ slot }) => slot === ours?.slot)
        batch.move(record.pid, 'reorged')
        batch.discredit(
          record.pid,
          ours?.slot,
          again.map(({ transaction: { hash } }) => hash),
        )
        batch.publish('reorged', record.pid, { transaction: evidence?.transaction })
        const attempts = record.attempts.map(
          (attempt): Attempt => (again.includes(attempt) ? { ...attempt, status: 'signed' } : attempt),
        )
        return { ...rest, attempts, state: 'reorged' }
      }),

    async watched(network, from, limit) {
      const rows = await db
        .selectFrom('settlement')
        .innerJoin('evidence', 'evidence.pid', 'settlement.pid')
        .select('settlement.pid')
        .where('settlement.owner', '=', replica)
        .where(inStates(watchedStates))
        .where('settlement.network', '=', network)
        .orderBy('evidence.block_number', from === 'oldest' ? 'asc' : 'desc')
        .orderBy('evidence.pid')
        .limit(limit)
        .execute()
      const records = await readRecords(
        db,
        rows.map(({ pid }) => pid),
      )
      const byPid = new Map(records.map((record) => [record.pid, record]))
      return rows.flatMap(({ pid }) => byPid.get(pid as Pid) ?? []) // A codec: the journal holds nothing else.
    },

    async lane(network, signer) {
      const standing = await db
        .selectFrom('lane')
        .select('next')
        .where('network', '=', network)
        .where('signer', '=', signer)
        .executeTakeFirst()
      const rows = await db
        .selectFrom('attempt')
        .selectAll()
        .where('network', '=', network)
        .where('signer', '=', signer)
        .where(isLiveAttempt)
        .orderBy('nonce')
        .orderBy('signed_at')
        .execute()
      const riders = await db
        .selectFrom('ride')
        .innerJoin('settlement', 'settlement.pid', 'ride.pid')
        .select(['ride.slot', 'ride.pid', 'settlement.state'])
        .where('ride.slot', 'in', rows.length === 0 ? [''] : rows.map(({ slot }) => slot))
        .execute()
      const open = rows.map((row) => {
        const mine = riders.filter(({ slot }) => slot === row.slot)
        return {
          ...attemptOf(row),
          pids: mine.map(({ pid }) => pid as Pid), // A codec: the journal holds nothing else.
          ended: mine.every(({ state }) => !openStates.some((each) => each === state)),
        }
      })
      return { open, ...(standing === undefined || standing.next === 0 ? {} : { next: BigInt(standing.next) }) }
    },

    async spent(hashes) {
      if (hashes.length === 0) return
      await write({
        pids: [],
        decide: (batch) => {
          for (const hash of hashes) batch.mark(hash, 'void')
        },
      })
    },

    async reopen(network, signer, from) {
      await store.transaction(
        (trx) =>
          trx
            .updateTable('attempt')
            .set({ status: 'signed' })
            .where('network', '=', network)
            .where('signer', '=', signer)
            .where('nonce', '>=', Number(from))
            .where('status', 'in', ['landed', 'failed', 'void'])
            .execute(),
        { isolation: 'read committed' },
      )
    },

    async riders(slot) {
      const rows = await db.selectFrom('ride').select('pid').where('slot', '=', slot).orderBy('pid').execute()
      return readRecords(
        db,
        rows.map(({ pid }) => pid),
      )
    },

    async spending(network, since) {
      const rows = await db
        .selectFrom('attempt')
        .select(['hash', 'signed_at', 'max_cost', 'fee', 'status'])
        .where('network', '=', network)
        .where('signed_at', '>', since)
        .where('status', '!=', 'void')
        .execute()
      return rows.map(({ hash, signed_at: at, max_cost, fee }) => ({ hash, at, cost: BigInt(fee ?? max_cost ?? 0) }))
    },
  }
}

/** Milliseconds for which a failed transaction is held against its payer. */
const FAILURE_WINDOW = 3_600_000

const NO_LIMITS: PayerLimits = { open: Number.POSITIVE_INFINITY, failures: Number.POSITIVE_INFINITY }

type Reads = Pick<Transaction<JournalTables>, 'selectFrom'>

const PAGE = 200

async function readRecords(db: Reads, pids: readonly string[]): Promise<SettlementRecord[]> {
  const found: SettlementRecord[] = []
  for (let at = 0; at < pids.length; at += PAGE) found.push(...(await readPage(db, pids.slice(at, at + PAGE))))
  return found
}

async function readPage(db: Reads, pids: readonly string[]): Promise<SettlementRecord[]> {
  const rows = await db.selectFrom('settlement').selectAll().where('pid', 'in', pids).execute()
  const rides = await db
    .selectFrom('ride')
    .innerJoin('attempt', 'attempt.slot', 'ride.slot')
    .selectAll('attempt')
    .select(['ride.pid', 'ride.status as ride_status'])
    .where('ride.pid', 'in', pids)
    .orderBy('attempt.signed_at')
    .orderBy('attempt.nonce')
    .execute()
  const evidence = await db.selectFrom('evidence').selectAll().where('pid', 'in', pids).execute()
  return rows.map((row) =>
    recordOf(
      row,
      rides.flatMap((ride) => (ride.pid === row.pid ? [attemptOf(ride, ride.ride_status)] : [])),
      evidence.find(({ pid }) => pid === row.pid),
    ),
  )
}

/** One of those that outbid each other has landed, or failed: it says what became of all of them. */
function closeSlot(
  batch: Batch,
  { attempts }: SettlementRecord,
  slot: string,
  hash: string,
  as: 'landed' | 'failed' | 'void',
): readonly Attempt[] {
  return attempts.map((attempt): Attempt => {
    if (attempt.slot !== slot) return attempt
    const status = attempt.transaction.hash === hash ? as : 'void'
    if (status !== 'landed') batch.mark(attempt.transaction.hash, status)
    return { ...attempt, status }
  })
}
