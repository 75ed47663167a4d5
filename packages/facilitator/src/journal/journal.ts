import type { Clock, ErrorCode, Network, Pid, Refusal, SignedTransaction } from '@groat/core'
import type { Store } from '@groat/store'
import type { Transaction } from 'kysely'
import { crashpoint } from '../crashpoint.js'
import type { Attempt, Claim, Evidence, SettlementRecord } from './record.js'
import { attemptOf, attemptRow, evidenceRow, recordOf, rowOf } from './rows.js'
import { type AttemptStatus, edges, isLive, liveStatuses, openStates, type SettlementState } from './state.js'
import { type JournalTables, journalMigrations } from './tables.js'

/** What became of a write: the record as it stands now, or `moved` when somebody else has moved it on and it has to be read again. */
export type Written = SettlementRecord | 'moved'

/**
 * The one source of truth. Every write takes the record it was decided on, holds only while the row still stands there, and is durable
 * when it answers. Throws `X402Error` `store_busy` or `store_unavailable`.
 */
export interface Journal {
  migrate(): Promise<void>
  /** Throws when the database cannot be read. */
  ready(): Promise<void>
  /** Takes a payment on, unless it is already known. A payment that was refused before anything was signed is not. */
  claim(claim: Claim): Promise<{ readonly won: boolean; readonly record: SettlementRecord }>
  load(pid: Pid): Promise<SettlementRecord | undefined>
  /** Every record that somebody still has to carry to an end. */
  open(): Promise<readonly SettlementRecord[]>
  /** Writes the bytes down and uses the nonce up, both or neither. `nonce_used`: the journal is already past that nonce. */
  signed(record: SettlementRecord, transaction: SignedTransaction): Promise<Written | 'nonce_used'>
  /** A node has taken the bytes. */
  sent(record: SettlementRecord, transaction: SignedTransaction): Promise<Written>
  /** The transaction can move nothing any more. */
  closed(record: SettlementRecord, transaction: SignedTransaction, as: 'failed' | 'void'): Promise<Written>
  /** Nothing was signed, and nothing will be for this presentation. */
  refused(record: SettlementRecord, refusal: Refusal): Promise<Written>
  /** Proven: it can never settle. Transactions without a nonce die with it; of the others the nonce has still to go. */
  dead(record: SettlementRecord, refusal: Refusal): Promise<Written>
  /** Settled with nothing sent: nothing was charged, and the payment is used up. */
  waived(record: SettlementRecord): Promise<Written>
  /** Credits a log. `credited`: that log already credits another payment. */
  settled(record: SettlementRecord, evidence: Evidence): Promise<Written | 'credited'>
  /** What a lane starts from. */
  lane(network: Network, signer: string): Promise<LaneState>
  /** A transaction whose payment has ended can do nothing any more: its nonce is gone. */
  spent(hash: string): Promise<void>
}

/** A signer's standing in the journal. */
export type LaneState = {
  /** The next nonce; absent when none was ever used. */
  readonly next?: bigint
  /** Transactions that may still land, lowest nonce first. `ended`: their payment is over, only their nonce still matters. */
  readonly open: readonly (Attempt & { readonly pid: Pid; readonly ended: boolean })[]
}

/** Makes the journal over a store. */
export function createJournal(store: Store, clock: Clock): Journal {
  const { db, transaction, ...rest } = store.withTables<JournalTables>()

  async function records(trx: Reads, pids: readonly string[]): Promise<SettlementRecord[]> {
    if (pids.length === 0) return []
    const rows = await trx.selectFrom('settlement').selectAll().where('pid', 'in', pids).execute()
    const attempts = await trx
      .selectFrom('attempt')
      .selectAll()
      .where('pid', 'in', pids)
      .orderBy('signed_at')
      .orderBy('nonce')
      .execute()
    const evidence = await trx.selectFrom('evidence').selectAll().where('pid', 'in', pids).execute()
    return rows.map((row) =>
      recordOf(
        row,
        attempts.filter(({ pid }) => pid === row.pid),
        evidence.find(({ pid }) => pid === row.pid),
      ),
    )
  }

  /** A transaction that may leave with nothing written and a word on why. */
  async function write<Why extends string = 'moved'>(
    work: (trx: Transaction<JournalTables>, undo: (why: Why) => never) => Promise<SettlementRecord>,
  ): Promise<SettlementRecord | Why> {
    const undone: { error: Error; why?: Why } = { error: new Error('undone') }
    try {
      return await transaction((trx) =>
        work(trx, (why) => {
          undone.why = why
          throw undone.error
        }),
      )
    } catch (error) {
      if (error === undone.error && undone.why !== undefined) return undone.why
      throw error
    }
  }

  /** Moves the row along one edge, if it still stands where the caller saw it. */
  async function move(
    trx: Transaction<JournalTables>,
    { pid, state: from }: SettlementRecord,
    to: SettlementState,
    refusal?: Refusal,
  ): Promise<boolean> {
    if (from !== to && !edges[from].includes(to)) throw new TypeError(`A settlement does not go from ${from} to ${to}`)
    const moved = await trx
      .updateTable('settlement')
      .set({ state: to, reason: refusal?.code ?? null, detail: refusal?.detail ?? null, updated_at: clock() })
      .where('pid', '=', pid)
      .where('state', '=', from)
      .returning('pid')
      .executeTakeFirst()
    if (moved === undefined) return false
    if (from !== to) await tell(trx, pid, from, to, refusal?.code)
    return true
  }

  async function tell(
    trx: Transaction<JournalTables>,
    pid: Pid,
    from: SettlementState | null,
    to: SettlementState,
    code?: ErrorCode,
  ): Promise<void> {
    await trx
      .insertInto('event')
      .values((eb) => ({
        pid,
        seq: eb
          .selectFrom('event as earlier')
          .select((e) => e.fn.countAll<number>().as('count'))
          .where('earlier.pid', '=', pid),
        from_state: from,
        to_state: to,
        at: clock(),
        code: code ?? null,
      }))
      .execute()
  }

  async function mark(trx: Transaction<JournalTables>, hash: string, status: AttemptStatus): Promise<boolean> {
    const marked = await trx
      .updateTable('attempt')
      .set({ status, ...(status === 'sent' ? { sent_at: clock() } : {}) })
      .where('hash', '=', hash)
      .where('status', 'in', liveStatuses)
      .returning('hash')
      .executeTakeFirst()
    return marked !== undefined
  }

  return {
    async migrate() {
      await rest.migrate(journalMigrations)
    },

    async ready() {
      await db.selectFrom('signer_nonce').select('next').limit(1).execute()
    },

    claim(claim) {
      const row = rowOf(claim, clock())
      return transaction(async (trx) => {
        const { pid } = claim
        const before = await trx.selectFrom('settlement').select('state').where('pid', '=', pid).executeTakeFirst()
        const won = await trx
          .insertInto('settlement')
          .values(row)
          .onConflict((conflict) =>
            conflict
              .column('pid')
              .doUpdateSet(row)
              .where('settlement.state', '=', 'refused' satisfies SettlementState),
          )
          .returning('pid')
          .executeTakeFirst()
        if (won === undefined) {
          const [record] = await records(trx, [pid])
          if (record === undefined) throw new TypeError('A conflicting row vanished')
          return { won: false, record }
        }
        await tell(trx, pid, before?.state ?? null, 'claimed')
        crashpoint('FP-02')
        return { won: true, record: recordOf(row, [], undefined) }
      })
    },

    async load(pid) {
      const [record] = await records(db, [pid])
      return record
    },

    async open() {
      const found: SettlementRecord[] = []
      let after = ''
      for (;;) {
        const page = await db
          .selectFrom('settlement')
          .select('pid')
          .where('state', 'in', openStates)
          .where('pid', '>', after)
          .orderBy('pid')
          .limit(PAGE)
          .execute()
        const pids = page.map(({ pid }) => pid)
        found.push(...(await records(db, pids)))
        after = pids.at(-1) ?? ''
        if (pids.length < PAGE) return found
      }
    },

    signed(record, tx) {
      const { network } = record
      const state = record.state === 'claimed' ? 'signed' : record.state
      return write(async (trx, undo) => {
        if (!(await move(trx, record, state))) undo('moved')
        if (tx.nonce !== undefined && !(await useNonce(trx, network, tx.signer, tx.nonce))) {
          undo('nonce_used')
        }
        // One that may still land stands in the way: the index refuses a second, and so the row has moved.
        const added = await trx
          .insertInto('attempt')
          .values(attemptRow(record, tx, clock()))
          .onConflict((conflict) => conflict.doNothing())
          .returning('hash')
          .executeTakeFirst()
        if (added === undefined) undo('moved')
        return { ...record, state, attempts: [...record.attempts, { transaction: tx, status: 'signed' as const }] }
      })
    },

    sent(record, tx) {
      return write(async (trx, undo) => {
        if (!(await mark(trx, tx.hash, 'sent'))) undo('moved')
        const state = record.state === 'signed' ? 'sent' : record.state
        if (!(await move(trx, record, state))) undo('moved')
        return { ...record, state, attempts: withStatus(record, tx.hash, 'sent') }
      })
    },

    closed(record, tx, as) {
      return write(async (trx, undo) => {
        if (!(await mark(trx, tx.hash, as))) undo('moved')
        return { ...record, attempts: withStatus(record, tx.hash, as) }
      })
    },

    refused: (record, refusal) => end(record, 'refused', refusal),
    dead: (record, refusal) => end(record, 'dead', refusal),
    waived: (record) => end(record, 'settled'),

    settled(record, evidence) {
      return write(async (trx, undo) => {
        if (!(await move(trx, record, 'settled'))) undo('moved')
        const credited = await trx
          .insertInto('evidence')
          .values(evidenceRow(record, evidence, clock()))
          .onConflict((conflict) => conflict.doNothing())
          .returning('pid')
          .executeTakeFirst()
        if (credited === undefined) undo('credited')
        const ours = record.attempts.find(({ transaction: { hash } }) => hash === evidence.transaction)
        if (ours !== undefined && isLive(ours)) await mark(trx, evidence.transaction, 'landed')
        const attempts = ours === undefined ? record.attempts : withStatus(record, evidence.transaction, 'landed')
        return { ...record, state: 'settled' as const, attempts, evidence }
      })
    },

    async lane(network, signer) {
      const standing = await db
        .selectFrom('signer_nonce')
        .select('next')
        .where('network', '=', network)
        .where('signer', '=', signer)
        .executeTakeFirst()
      const rows = await db
        .selectFrom('attempt')
        .innerJoin('settlement', 'settlement.pid', 'attempt.pid')
        .selectAll('attempt')
        .select('settlement.state')
        .where('attempt.network', '=', network)
        .where('attempt.signer', '=', signer)
        .where('attempt.status', 'in', liveStatuses)
        .orderBy('attempt.nonce')
        .execute()
      const open = rows.map((row) => ({
        ...attemptOf(row),
        pid: row.pid as Pid, // A codec: the journal holds nothing else.
        ended: edges[row.state].length === 0,
      }))
      return { open, ...(standing === undefined ? {} : { next: BigInt(standing.next) }) }
    },

    async spent(hash) {
      await transaction((trx) => mark(trx, hash, 'void'))
    },
  }

  function end(record: SettlementRecord, state: SettlementState, refusal?: Refusal): Promise<Written> {
    return write(async (trx, undo) => {
      if (!(await move(trx, record, state, refusal))) undo('moved')
      const attempts: Attempt[] = []
      for (const attempt of record.attempts) {
        const { hash, nonce } = attempt.transaction
        const dies = nonce === undefined && isLive(attempt) && (await mark(trx, hash, 'void'))
        attempts.push(dies ? { ...attempt, status: 'void' } : attempt)
      }
      return { ...record, state, attempts, ...(refusal === undefined ? {} : { refusal }) }
    })
  }
}

type Reads = Pick<Transaction<JournalTables>, 'selectFrom'>

const PAGE = 200

/** Uses a nonce up, unless the journal is already past it. */
async function useNonce(
  trx: Transaction<JournalTables>,
  network: Network,
  signer: string,
  nonce: bigint,
): Promise<boolean> {
  const next = Number(nonce) + 1
  const used = await trx
    .insertInto('signer_nonce')
    .values({ network, signer, next })
    .onConflict((conflict) =>
      conflict.columns(['network', 'signer']).doUpdateSet({ next }).where('signer_nonce.next', '<', next),
    )
    .returning('next')
    .executeTakeFirst()
  return used !== undefined
}

function withStatus({ attempts }: SettlementRecord, hash: string, status: AttemptStatus): readonly Attempt[] {
  return attempts.map((attempt) => (attempt.transaction.hash === hash ? { ...attempt, status } : attempt))
}
