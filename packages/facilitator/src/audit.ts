import { canonicalAddress, type SchemeFacilitator, sameAddress, X402Error } from '@groat/core'
import type { Reader, Store } from '@groat/store'
import { type EventAudit, verifyEvents } from './journal/audit.js'
import { assertEdition } from './journal/edition.js'
import { createReads, PAGE } from './journal/reads.js'
import type { SettlementRecord } from './journal/record.js'
import { eventsOfIt, type JournalTables } from './journal/tables.js'
import { storedRequest } from './presentation.js'

/** What an audit of a journal found. */
export type JournalAudit = {
  /** Whether there is no difference and everything could be asked. */
  readonly ok: boolean
  readonly events: EventAudit
  /** What was settled, by who was paid in what. */
  readonly sums: readonly LedgerSum[]
  readonly settlements: number
  /** Payments whose evidence was compared with the chain, and those for which the chain could not be asked. */
  readonly chain: { readonly compared: number; readonly unreachable: number }
  readonly differences: readonly AuditDifference[]
}

/** What one account was paid in one token, in atomic units. */
export type LedgerSum = {
  readonly network: string
  readonly asset: string
  readonly payTo: string
  readonly payments: number
  readonly amount: bigint
}

/**
 * Something that does not fit: `events` whose chain of hashes is broken, a `state` that the events do not lead to, `evidence` that is missing or
 * too much, a settlement that is `not_on_chain` or `differs_on_chain`.
 */
export type AuditDifference = {
  readonly kind: 'events' | 'state' | 'evidence' | 'not_on_chain' | 'differs_on_chain'
  readonly pid?: string
  readonly detail: string
}

/** What an audit works with. */
export type AuditOptions = {
  readonly store: Store
  /** The schemes by which payments were settled, to ask the chains; none: the chains are not asked. */
  readonly schemes?: readonly SchemeFacilitator[]
}

/**
 * Goes through a whole journal: every chain of events is recomputed, every payment has to stand where its events lead, every settled one has to
 * have its evidence (INV-9), and the chains, where they are asked, have to show the same logs. It writes nothing, and may run beside a facilitator:
 * what moves meanwhile is read again before it counts as a difference. Throws `X402Error` `store_unavailable`, with the reason `schema` where there is no
 * journal, or one of another edition.
 *
 * @example
 * const { ok, differences } = await auditJournal({ store: await openStore('pay.db') })
 */
export async function auditJournal({ store, schemes = [] }: AuditOptions): Promise<JournalAudit> {
  await assertEdition(store)
  const { db } = store.withTables<JournalTables>()
  const reads = createReads(db, '')
  const events = await verifyEvents(db)
  const hasArchive = (await db.selectFrom('chain_start').select('writer').limit(1).execute()).length > 0
  const differences: AuditDifference[] = []
  if (!events.ok)
    differences.push({ kind: 'events', detail: `those of ${events.writer} are not whole at entry ${events.seq}` })
  const sums = new Map<string, LedgerSum>()
  const chain = { compared: 0, unreachable: 0 }
  let settlements = 0
  let after = ''
  for (;;) {
    const rows = await pageOf(db, after)
    const states = await lastStates(db, rows)
    for (const record of await reads.loadAll(rows)) {
      settlements += 1
      const flaw = flawOf(record, states.get(record.pid), hasArchive) && (await flawAgain(db, record.pid, hasArchive))
      if (flaw) differences.push({ pid: record.pid, ...flaw })
      if (record.evidence === undefined) continue
      add(sums, record)
      // What was asked for is in the archive.
      if (record.requestText === '') continue
      const half = schemes.find((each) => each.scheme.name === record.scheme && each.networks.includes(record.network))
      if (half === undefined) continue
      try {
        const difference = await compare(record, half)
        chain.compared += 1
        if (difference !== undefined) differences.push({ pid: record.pid, ...difference })
      } catch (error) {
        if (!X402Error.is(error)) throw error
        chain.unreachable += 1
      }
    }
    after = rows.at(-1) ?? ''
    if (rows.length < PAGE) break
  }
  const ok = differences.length === 0 && chain.unreachable === 0
  return { ok, events, sums: [...sums.values()], settlements, chain, differences }
}

type Flaw = Pick<AuditDifference, 'kind' | 'detail'>

async function pageOf(db: Reader<JournalTables>, after: string) {
  const rows = await db
    .selectFrom('settlement')
    .select('pid')
    .where('pid', '>', after)
    .orderBy('pid')
    .limit(PAGE)
    .execute()
  // A codec: the journal holds nothing else.
  return rows.map(({ pid }) => pid as SettlementRecord['pid'])
}

/**
 * To where the events of each payment lead: it has come to every state as often as it has left it, but for the last. Time would not say it: the clocks of
 * the replicas that carried it may differ.
 */
async function lastStates(
  db: Reader<JournalTables>,
  pids: readonly string[],
): Promise<Map<string, ReadonlySet<string>>> {
  if (pids.length === 0) return new Map()
  const rows = await db
    .selectFrom('settlement')
    .innerJoin('event', eventsOfIt)
    .select(['event.pid', 'from_state', 'to_state'])
    .where('settlement.pid', 'in', pids)
    .execute()
  const visits = new Map<string, Map<string, number>>()
  for (const { pid, from_state, to_state } of rows) {
    const mine = visits.get(pid) ?? new Map<string, number>()
    visits.set(pid, mine)
    mine.set(to_state, (mine.get(to_state) ?? 0) + 1)
    if (from_state !== null) mine.set(from_state, (mine.get(from_state) ?? 0) - 1)
  }
  const lastOf = (mine: ReadonlyMap<string, number>) => [...mine].flatMap(([state, times]) => (times > 0 ? state : []))
  return new Map([...visits].map(([pid, mine]) => [pid, new Set(lastOf(mine))]))
}

function flawOf(
  { state, evidence, scheme, amount, requestText }: SettlementRecord,
  led: ReadonlySet<string> | undefined,
  hasArchive: boolean,
): Flaw | undefined {
  // Archived: the first of its events are elsewhere.
  const isHere = requestText !== ''
  if (!isHere && !hasArchive)
    return { kind: 'state', detail: `${state}, what was asked for is gone, and nothing is archived` }
  if (isHere && led === undefined) return { kind: 'state', detail: `${state}, and no event says how` }
  if (isHere && led?.has(state) === false) {
    return { kind: 'state', detail: `${state}, but its events lead to ${[...led].join(' or ')}` }
  }
  const relies = state === 'mined' || state === 'settled' || state === 'final'
  if (!relies && evidence !== undefined) return { kind: 'evidence', detail: `${state}, and yet credited` }
  // A wish of the seller's may move nothing, and of what is charged by use there may have been none.
  const mayBeNothing = !CHARGES.has(scheme) || amount === 0n
  if (relies && evidence === undefined && !mayBeNothing)
    return { kind: 'evidence', detail: `${state} without evidence` }
  if (scheme === 'exact' && evidence !== undefined && evidence.amount < amount) {
    return { kind: 'evidence', detail: `asked for ${amount}, credited ${evidence.amount}` }
  }
  return undefined
}

/** Schemes whose payments move what they ask for. */
const CHARGES: ReadonlySet<string> = new Set(['exact', 'upto'])

async function flawAgain(
  db: Reader<JournalTables>,
  pid: SettlementRecord['pid'],
  hasArchive: boolean,
): Promise<Flaw | undefined> {
  const record = await createReads(db, '').load(pid)
  const states = await lastStates(db, [pid])
  return record && flawOf(record, states.get(pid), hasArchive)
}

/** Asks the chain for the payment by the transaction that the journal credits. */
async function compare(record: SettlementRecord, half: SchemeFacilitator): Promise<Flaw | undefined> {
  const { evidence, attempts } = record
  if (evidence === undefined) return undefined
  const { payment, requirements } = storedRequest(record)
  const ours = attempts.find(({ transaction }) => transaction.hash === evidence.transaction)?.transaction
  const outcome = await half.outcome(payment, requirements, [ours ?? { hash: evidence.transaction, signer: '' }])
  if (outcome.status !== 'settled')
    return { kind: 'not_on_chain', detail: `${evidence.transaction}: ${outcome.status}` }
  const isSame =
    sameAddress(outcome.transaction, evidence.transaction) &&
    outcome.logIndex === evidence.logIndex &&
    outcome.amount === evidence.amount &&
    outcome.blockNumber === evidence.blockNumber
  if (isSame) return undefined
  return {
    kind: 'differs_on_chain',
    detail: `the journal has ${placeOf(evidence)}; the chain has ${placeOf(outcome)}`,
  }
}

type Place = Pick<NonNullable<SettlementRecord['evidence']>, 'amount' | 'logIndex' | 'transaction' | 'blockNumber'>

function placeOf({ amount, logIndex, transaction, blockNumber }: Place): string {
  return `${amount} in log ${logIndex} of ${transaction}, block ${blockNumber}`
}

function add(sums: Map<string, LedgerSum>, { network, asset, payTo, evidence }: SettlementRecord): void {
  const key = [network, canonicalAddress(asset), canonicalAddress(payTo)].join(' ')
  const known = sums.get(key) ?? { network, asset, payTo, payments: 0, amount: 0n }
  sums.set(key, { ...known, payments: known.payments + 1, amount: known.amount + (evidence?.amount ?? 0n) })
}
