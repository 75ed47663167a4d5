import type { Refusal, SignedTransaction } from '@groat/core'
import type { Batch, Telling, Write } from './batch.js'
import type { OutboxTopic } from './outbox.js'
import type { Attempt, Evidence, SettledPayment, SettlementRecord } from './record.js'
import { evidenceRow } from './rows.js'
import { liveStatuses, type SettlementState } from './state.js'

/** What became of a write: the record as it stands now, or `moved` when somebody else has moved it on and it has to be read again. */
export type Written = SettlementRecord | 'moved'

/** Writes about one payment. Each holds only while the payment stands where the caller saw it, and is carried by whom the caller saw. */
export interface JournalSteps {
  /** Lets a payment go: it has to be signed for, and this replica cannot, or it is not served here. */
  give(record: SettlementRecord): Promise<Written>
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
  final<Known extends SettledPayment>(record: Known): Promise<Known | 'moved'>
  /** The block of the evidence is gone, and the evidence with it; `moved` also when another block shows it by now, or none. */
  reorged(record: SettlementRecord): Promise<Written>
}

/** Makes the steps over a journal's writer. `telling`: who has to be told of what. */
export function createSteps(write: <T>(write: Write<T>) => Promise<T>, telling: Telling): JournalSteps {
  /** A write that is decided by where one record stands: it holds only while that is as the caller saw it. */
  function step<T>(
    { pid, state, owner = null }: Pick<SettlementRecord, 'pid' | 'state'> & { readonly owner?: string | null },
    decide: (batch: Batch) => T,
    more: Partial<Pick<Write<T>, 'payer' | 'transaction' | 'rides' | 'durable'>> = {},
  ): Promise<T | 'moved'> {
    return write({
      pids: [pid],
      rides: true,
      ...more,
      decide(batch) {
        const standing = batch.standing(pid)
        return standing?.state === state && standing.owner === owner ? decide(batch) : 'moved'
      },
    })
  }

  /**
   * The chain itself holds the evidence: after a loss of power it says the same again, of what is signed for, which is there. What others are told of is told once,
   * so it has to stay.
   */
  function foundAgain(topic: OutboxTopic, { tenant }: Pick<SettlementRecord, 'tenant'>): { readonly durable?: false } {
    return telling(topic, tenant ?? null) === undefined ? { durable: false } : {}
  }

  function end(record: SettlementRecord, state: SettlementState, refusal?: Refusal): Promise<Written> {
    return step(record, (batch) => {
      batch.move(record.pid, state, { refusal })
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
    give: (record) =>
      step(record, (batch) => {
        batch.own(record.pid, null)
        const { owner: _, ...rest } = record
        return rest
      }),

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
          if (batch.isRidingElsewhere(record.pid, slot)) return 'moved'
          batch.alight(record.pid, as)
          if (as === 'failed') batch.blame(record.network, record.payer, FAILURE_WINDOW)
          return { ...record, attempts: closeSlot(batch, record, slot, transaction.hash, as) }
        },
        { payer: record },
      ),

    refused: (record, refusal) => end(record, 'refused', refusal),

    dead: (record, refusal) => end(record, 'dead', refusal),

    waived: (record) => end(record, 'settled'),

    settled(record, evidence, as = 'settled') {
      const ours = record.attempts.find(({ transaction: { hash } }) => hash === evidence.transaction)
      // What was given up lands after all where the block is undone that took its number, or nodes were late: then it is not what was signed after it.
      const isBack = ours?.status === 'void' || ours?.status === 'failed'
      const failures = isBack ? record.attempts.filter(({ status }) => status === 'failed').length : 0
      return step(
        record,
        (batch) => {
          const { pid, network } = record
          const { transaction, logIndex, fee, amount } = evidence
          const isSame = record.evidence?.transaction === transaction && record.evidence.logIndex === logIndex
          if (!isSame && batch.creditedIn(network, transaction, logIndex) !== undefined) return 'credited' as const
          if (!isSame) batch.credit(pid, evidenceRow(record, evidence, batch.now))
          batch.move(pid, as, { block: evidence.blockNumber })
          if (ours !== undefined) {
            batch.land(transaction, fee)
            if (batch.isRiding(pid)) batch.alight(pid, isBack ? 'void' : 'landed')
            if (isBack) batch.comeBack(pid, ours.slot)
          }
          // What could not move money that was moved before is no fault of the payer's.
          if (failures > 0) batch.forgive(network, record.payer, failures)
          if (as === 'settled') batch.publish('settled', pid, { transaction, logIndex, amount: amount.toString() })
          const attempts =
            ours === undefined ? record.attempts : closeSlot(batch, record, ours.slot, transaction, 'landed')
          return { ...record, state: as, attempts, evidence }
        },
        {
          transaction: { network: record.network, hash: evidence.transaction },
          ...(failures > 0 && { payer: record }),
          // Somebody else has landed it, and its claim was not waited for: nothing else of it survives a loss of power.
          ...(record.attempts.length === 0 ? {} : foundAgain('settled', record)),
        },
      )
    },

    final: (record) =>
      step(
        record,
        (batch) => {
          batch.move(record.pid, 'final')
          batch.publish('final', record.pid, { transaction: record.evidence?.transaction })
          return { ...record, state: 'final' as const }
        },
        { rides: false, ...foundAgain('final', record) },
      ),

    reorged(record) {
      const { evidence, ...rest } = record
      if (evidence === undefined) return Promise.resolve('moved')
      const { network, pid } = record
      const { transaction, logIndex, blockHash } = evidence
      return step(
        record,
        (batch) => {
          // Another block may show it by now.
          if (batch.creditedIn(network, transaction, logIndex) !== blockHash) return 'moved'
          const ours = record.attempts.find(({ transaction: { hash } }) => hash === transaction)
          const again = record.attempts.filter(({ slot }) => slot === ours?.slot)
          const hashes = again.map(({ transaction: { hash } }) => hash)
          batch.move(pid, 'reorged', { block: null })
          batch.discredit(pid, { network, transaction, logIndex }, ours?.slot, hashes)
          batch.publish('reorged', pid, { transaction })
          const attempts = record.attempts.map(
            (attempt): Attempt => (again.includes(attempt) ? { ...attempt, status: 'signed' } : attempt),
          )
          return { ...rest, attempts, state: 'reorged' as const }
        },
        { transaction: { network, hash: transaction } },
      )
    },
  }
}

/** Milliseconds for which a failed transaction is held against its payer. */
export const FAILURE_WINDOW = 3_600_000

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
