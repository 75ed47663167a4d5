import { type Clock, type Network, type Pid, type SignedTransaction, systemRandom } from '@groat/core'
import type { Store } from '@groat/store'
import { systemTimers, type Timers } from '../timers.js'
import type { Telling } from './batch.js'
import { type ClaimBounds, type Claimed, createClaim, type Means, NO_LIMITS, type PayerLimits } from './claim.js'
import { createCompany } from './company.js'
import { createDeliveries, type Deliveries } from './deliveries.js'
import { assertEdition } from './edition.js'
import { createLeases, type Leases } from './leases.js'
import { journalMigrations } from './migrations.js'
import { createOutbox, type Outbox } from './outbox.js'
import { createReads, type JournalReads, PAGE, readRecords } from './reads.js'
import { type Attempt, type Claim, type SettlementRecord, slotOf } from './record.js'
import { attemptRow } from './rows.js'
import { isOpen, openPhases } from './state.js'
import { createSteps, type JournalSteps } from './steps.js'
import { inPhases, type JournalTables } from './tables.js'
import { createWriter } from './writer.js'

export type { ClaimBounds, Claimed, Means, PayerLimits } from './claim.js'
export type { Written } from './steps.js'

/** Who may sign in a lane: a holder whose fence is not the lane's any more can write nothing there. */
export type Hold = { readonly fence: number }

/** What a replica serves, and by whom it can sign for it: for payments that name one of these signers, or none. */
export type Served = { readonly network: Network; readonly scheme: string; readonly signers: readonly string[] }

/** A payment, and how often its chain had undone blocks when it was checked. */
export type Checked = Pick<Means, 'undone'> & { readonly record: SettlementRecord }

/**
 * The one source of truth. Every write takes the record it was decided on, holds only while the row still stands there, and is durable
 * when it answers; writes that wait together are one transaction. Throws `X402Error` `store_busy` or `store_unavailable`.
 */
export interface Journal extends JournalReads, JournalSteps {
  /** This process, as the journal knows it. */
  readonly replica: string
  readonly leases: Leases
  readonly outbox: Outbox
  readonly deliveries: Deliveries
  migrate(): Promise<void>
  /** Throws when the database cannot be read, or a replica of a newer edition has changed its tables. */
  ready(): Promise<void>
  /**
   * Takes a payment on, unless it is already known, with its place among the payer's means, both or neither. A payment that was refused
   * before anything was signed is not known. `owner`: who carries it; nobody yet when it is null.
   */
  claim(claim: Claim, owner: string | null, bounds?: ClaimBounds): Promise<Claimed>
  /** Gives back what a claim drew from quotas, by their keys: it was refused with nothing signed. To be called once for a claim. */
  giveBack(keys: readonly string[]): Promise<void>
  /**
   * Every record that somebody still has to carry to an end, or to watch, that is served here and nobody's living: it is this replica's from now on. `watched`:
   * networks on which a block says by itself whether it is still there, so that what is settled is watched whether it is served or not.
   */
  adopt(
    served: readonly Pick<Served, 'network' | 'scheme'>[],
    watched?: readonly Network[],
  ): Promise<readonly SettlementRecord[]>
  /** What is settled on these networks and watched here is nobody's from now on: whoever can ask them watches it. */
  leaveWatched(networks: readonly Network[]): Promise<void>
  /** What is this replica's to carry, and it does not know of: its commit answered nothing, and was one all the same. */
  forgotten(isCarried: (pid: Pid) => boolean): Promise<readonly SettlementRecord[]>
  /**
   * Payments that have to be signed for and are nobody's, for who had them cannot: some of those that this replica can sign for are its from now on,
   * and of those served here that nothing was signed for in time, which whoever serves them can end.
   */
  take(served: readonly Served[]): Promise<readonly SettlementRecord[]>
  /**
   * Writes the bytes down, for every payment in them, and uses the nonce up: all or nothing. `nonce_used`: the journal is already past that
   * nonce. `lost`: somebody else holds the lane. Payments that have moved on, or whose chain has undone blocks since they were checked, are named,
   * and nothing is written; `undone` says how often it has by now.
   */
  signed(
    payments: readonly Checked[],
    transaction: SignedTransaction,
    hold: Hold | undefined,
  ): Promise<
    readonly SettlementRecord[] | 'nonce_used' | 'lost' | { readonly moved: readonly Pid[]; readonly undone: number }
  >
  /** Writes bytes down for a nonce that is already used up: they outbid what was signed under it, or fill a gap. */
  outbid(network: Network, transaction: SignedTransaction, hold: Hold | undefined): Promise<'written' | 'lost'>
  /** Nonces below are gone: what was signed under them can do nothing any more, unless it has landed. */
  spent(hashes: readonly string[]): Promise<void>
}

/** What a journal is made of. */
export type JournalOptions = {
  readonly store: Store
  readonly clock: Clock
  readonly timers?: Timers
  /** By this the process is known to others on the same journal; drawn at random unless told. */
  readonly replica?: string
  readonly limits?: PayerLimits
  /** Milliseconds after which every node of a network shows what is in a block: that long, what others have settled is told of a payer's means. */
  readonly lag?: (network: Network) => number
  /** Who has to be told of what; nobody, unless told. */
  readonly telling?: Telling
  /** Called when something was written that others have to be told. */
  readonly onTold?: () => void
  /** Whether a message that all endpoints have been told counts as published. */
  readonly publishes?: boolean
}

/** Makes the journal over a store. */
export function createJournal(options: JournalOptions): Journal {
  const {
    clock,
    timers = systemTimers,
    limits = NO_LIMITS,
    telling = () => undefined,
    onTold,
    publishes = false,
  } = options
  const store = options.store.withTables<JournalTables>()
  const { db } = store
  const replica = options.replica ?? Buffer.from(systemRandom(8)).toString('hex')
  const { write } = createWriter({ store, clock, timers, writer: replica, telling, onTold })
  const company = createCompany(clock, options.lag)
  const leases = createLeases(store, replica)

  return {
    ...createReads(db, replica, company),
    ...createSteps(write, telling),
    replica,
    leases: {
      ...leases,
      async renew(milliseconds, reaches) {
        const renewed = await leases.renew(milliseconds, reaches)
        company.note(renewed.alive)
        return renewed
      },
    },
    outbox: createOutbox(store, clock),
    deliveries: createDeliveries({ store, replica, publishes }),

    async migrate() {
      await store.migrate(journalMigrations)
    },

    ready: () => assertEdition(store),

    claim: createClaim(write, limits, company),

    giveBack: (keys) =>
      write({
        pids: [],
        quotas: keys,
        durable: false,
        decide(batch) {
          for (const key of keys) batch.giveBack(key)
        },
      }),

    async adopt(served, watched = []) {
      const adopted = await store.transaction(
        async (trx) => {
          const now = await store.now(trx)
          return trx
            .updateTable('settlement')
            .set({ owner: replica })
            .where('phase', 'is not', null)
            .where((eb) =>
              eb.or([
                ...served.map(({ network, scheme }) => eb.and({ network, scheme })),
                ...watched.map((network) => eb.and({ network, phase: 'settled' })),
              ]),
            )
            .where((eb) =>
              eb.or([
                eb('owner', 'is', null).and('state', '!=', 'claimed'),
                eb('owner', 'not in', eb.selectFrom('replica').select('replica.id').where('lease_until', '>', now)),
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

    async leaveWatched(networks) {
      if (networks.length === 0) return
      await store.transaction(
        (trx) =>
          trx
            .updateTable('settlement')
            .set({ owner: null })
            .where('owner', '=', replica)
            .where('phase', '=', 'settled')
            .where('network', 'in', networks)
            .execute(),
        { isolation: 'read committed' },
      )
    },

    async forgotten(isCarried) {
      const rows = await db
        .selectFrom('settlement')
        .select('pid')
        .where('owner', '=', replica)
        .where(inPhases(openPhases))
        .execute()
      return readRecords(
        db,
        rows.flatMap(({ pid }) => (isCarried(pid as Pid) ? [] : pid)), // A codec: the journal holds nothing else.
      )
    },

    async take(served) {
      const now = Math.floor(clock() / 1000)
      const free = await db
        .selectFrom('settlement')
        .select('pid')
        .where('owner', 'is', null)
        .where('phase', '=', 'open')
        .where((eb) =>
          eb.or(
            served.map(({ network, scheme, signers }) => {
              const mine = signers.length === 0 ? [] : [eb('signer', 'is', null), eb('signer', 'in', signers)]
              const isLate = eb('state', '=', 'claimed').and('valid_before', '<=', now)
              return eb.and([eb.and({ network, scheme }), eb.or([...mine, isLate])])
            }),
          ),
        )
        .orderBy('created_at')
        .limit(PAGE)
        .execute()
      if (free.length === 0) return []
      const mine = await write({
        pids: free.map(({ pid }) => pid),
        decide: (batch) =>
          free.flatMap(({ pid }) => {
            const standing = batch.standing(pid)
            if (standing === undefined || standing.owner !== null || !isOpen(standing.state)) return []
            batch.own(pid, replica)
            return [pid]
          }),
      })
      return readRecords(db, mine)
    },

    signed(payments, tx, hold) {
      const records = payments.map(({ record }) => record)
      const { network } = records[0] ?? {}
      if (network === undefined) return Promise.resolve([])
      const { signer, nonce } = tx
      return write({
        pids: records.map(({ pid }) => pid),
        rides: true,
        network,
        ...(nonce === undefined ? {} : { lane: { network, signer } }),
        decide(batch) {
          const lane = batch.lane(network, signer)
          if (nonce !== undefined && (lane === undefined || lane.fence !== hold?.fence)) return 'lost'
          if (nonce !== undefined && lane !== undefined && lane.next > Number(nonce)) return 'nonce_used'
          const moved = payments.flatMap(({ record: { pid, state, owner }, undone }) => {
            const standing = batch.standing(pid)
            const stands = standing?.state === state && standing.owner === (owner ?? null) && !batch.isRiding(pid)
            return stands && !batch.hasUndone(network, undone) ? [] : [pid]
          })
          if (moved.length > 0) return { moved, undone: batch.undone(network) }
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
          batch.outbid(attemptRow(network, tx, batch.now))
          return 'written'
        },
      })
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
  }
}
