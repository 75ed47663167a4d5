import { crashpoint } from '../crashpoint.js'
import { type ChainEnd, chainEvent, type EventStep } from './events.js'
import type { Facts, Trx } from './facts.js'
import type { AttemptStatus, RideStatus } from './state.js'
import type { JournalStatements } from './statements.js'
import type { FreshSettlement, JournalTables, SettlementRow } from './tables.js'
import { together } from './together.js'

/** What the writes of a batch come to, row by row. */
export type Changes = {
  readonly inserts: Taken[]
  readonly resets: Taken[]
  /** What all writes come to, for each payment. */
  readonly moves: Map<string, SettlementChange>
  readonly attempts: JournalTables['attempt'][]
  readonly outbids: JournalTables['attempt'][]
  readonly rides: { readonly slot: string; readonly pid: string }[]
  readonly marks: Map<Exclude<AttemptStatus, 'landed'>, Set<string>>
  /** Hashes with what they cost, where that is known. */
  readonly landed: Map<string, string | undefined>
  readonly rideMarks: Map<RideStatus, Set<string>>
  readonly evidence: { readonly pid: string; readonly row: Omit<JournalTables['evidence'], 'settlement'> }[]
  /** Payments whose evidence is gone, and what of theirs may land again. */
  readonly undone: string[]
  /** Chains that undid blocks. */
  readonly chains: Set<string>
  /** Places that were given up and have landed all the same. */
  readonly back: { readonly pid: string; readonly slot: string }[]
  readonly revived: { readonly pid: string; readonly slot: string; readonly hashes: readonly string[] }[]
  readonly nexts: Map<string, JournalTables['lane']>
  /** Keys of what is known otherwise now. */
  readonly payers: Set<string>
  readonly quotas: Set<string>
  readonly outbox: JournalTables['outbox'][]
  readonly deliveries: JournalTables['delivery'][]
  readonly steps: EventStep[]
}

/** A payment that is taken on, with what was asked for. */
type Taken = { readonly row: FreshSettlement; readonly request: string }

/** What is changed of a settlement that is there. */
export type SettlementChange = Partial<
  Pick<SettlementRow, 'state' | 'phase' | 'block' | 'reason' | 'detail' | 'owner' | 'told'>
>

/**
 * Nothing is changed yet.
 *
 * @example
 * const changes = noChanges()
 * changes.rides.push({ slot, pid, status: 'live' })
 */
export function noChanges(): Changes {
  return {
    inserts: [],
    resets: [],
    moves: new Map(),
    attempts: [],
    outbids: [],
    rides: [],
    marks: new Map(),
    landed: new Map(),
    rideMarks: new Map(),
    evidence: [],
    undone: [],
    chains: new Set(),
    back: [],
    revived: [],
    nexts: new Map(),
    payers: new Set(),
    quotas: new Set(),
    outbox: [],
    deliveries: [],
    steps: [],
  }
}

/** Where changes are written. */
export type WriteDownOptions = {
  readonly trx: Trx
  readonly now: number
  /** By this its chain of events is known, which ends here. */
  readonly writer: string
  readonly end: ChainEnd
  readonly statements: JournalStatements
}

/**
 * Writes changes down with few statements, and answers where the chain of events then ends.
 *
 * @example
 * const end = await writeDown(changes, facts, options)
 */
export async function writeDown(changes: Changes, facts: Facts, options: WriteDownOptions): Promise<ChainEnd> {
  const { trx, statements } = options
  await insertTaken(changes, facts, options)
  const idOf = (pid: string) => known(facts.ids, pid)
  const { end, rows } = chainEvents(changes, options)
  await together([
    ...writeRequests(changes, idOf, options),
    ...writeMoves(changes, idOf, options),
    ...writeTransactions(changes, idOf, options),
    ...writeEvidence(changes, idOf, options),
    ...writeAccounts(changes, facts, options),
    ...writeChains(changes, options),
    ...writeOutbox(changes, options),
    ...ifAny(rows, (rows) => statements.insertEvents(trx, { rows })),
  ])
  if (changes.inserts.length + changes.resets.length > 0) crashpoint('FP-02')
  return end
}

/** Statements that were sent; nobody has waited for them yet. */
type Sent = readonly Promise<unknown>[]
type IdOf = (pid: string) => number

function ifAny<Row>(rows: readonly Row[], send: (rows: readonly Row[]) => Promise<unknown>): Sent {
  return rows.length === 0 ? [] : [send(rows)]
}

/** The rest is written under the ids that these get. */
async function insertTaken({ inserts }: Changes, { ids }: Facts, { trx, statements }: WriteDownOptions): Promise<void> {
  if (inserts.length === 0) return
  const { rows } = await statements.insertSettlements(trx, { rows: inserts.map(({ row }) => row) })
  for (const { pid, id } of rows) ids.set(pid, id)
}

function writeRequests({ inserts, resets }: Changes, idOf: IdOf, { trx, statements }: WriteDownOptions): Sent {
  const bodies = inserts.map(({ row, request }) => ({ settlement: idOf(row.pid), body: request }))
  return [
    ...ifAny(bodies, (rows) => statements.insertRequests(trx, { rows })),
    ...resets.flatMap(({ row, request: body }) => {
      const settlement = idOf(row.pid)
      return [
        trx.updateTable('settlement').set(row).where('id', '=', settlement).execute(),
        trx
          .insertInto('request')
          .values({ settlement, body })
          .onConflict((conflict) => conflict.column('settlement').doUpdateSet({ body }))
          .execute(),
      ]
    }),
  ]
}

/** The same change of several is one statement. */
function writeMoves({ moves }: Changes, idOf: IdOf, { trx, statements, now }: WriteDownOptions): Sent {
  const same = new Map<string, { readonly change: SettlementChange; readonly ids: number[] }>()
  for (const [pid, change] of moves) {
    const key = JSON.stringify(change)
    const known = same.get(key)
    if (known === undefined) same.set(key, { change, ids: [idOf(pid)] })
    else known.ids.push(idOf(pid))
  }
  return [...same.values()].map(({ change, ids }) =>
    statements.change(trx, { change: { updated_at: now, ...change }, ids }),
  )
}

function writeTransactions(changes: Changes, idOf: IdOf, { trx, statements, now }: WriteDownOptions): Sent {
  const { attempts, outbids, rides, marks, landed, rideMarks, back, revived, nexts } = changes
  const fresh = rides.map(({ slot, pid }) => ({ slot, settlement: idOf(pid), status: 'live' as const }))
  const setRide = (pid: string, slot: string, status: RideStatus) =>
    trx.updateTable('ride').set({ status }).where('slot', '=', slot).where('settlement', '=', idOf(pid)).execute()
  return [
    ...ifAny(attempts, (rows) => statements.insertAttempts(trx, { rows })),
    ...ifAny(outbids, (rows) =>
      trx
        .insertInto('attempt')
        .values(rows)
        .onConflict((conflict) => conflict.column('hash').doNothing())
        .execute(),
    ),
    ...[...rideMarks].map(([status, pids]) => statements.markRides(trx, { status, ids: [...pids].map(idOf) })),
    ...ifAny(fresh, (rows) => statements.insertRides(trx, { rows })),
    ...[...marks].map(([status, hashes]) =>
      trx
        .updateTable('attempt')
        .set(status === 'sent' ? { status, sent_at: now } : { status })
        .where('hash', 'in', [...hashes])
        // What has landed stays so, whatever is said later of one payment in it.
        .where('status', 'in', status === 'sent' ? ['signed'] : ['signed', 'sent'])
        .execute(),
    ),
    ...[...landed].map(([hash, fee]) =>
      statements.landed(trx, { change: { status: 'landed', ...(fee === undefined ? {} : { fee }) }, hash }),
    ),
    ...back.map(({ pid, slot }) => setRide(pid, slot, 'landed')),
    ...revived.flatMap(({ pid, slot, hashes }) => [
      setRide(pid, slot, 'live'),
      trx.updateTable('attempt').set({ status: 'signed' }).where('hash', 'in', hashes).execute(),
    ]),
    ...[...nexts.values()].map(({ network, signer, next }) => statements.next(trx, { network, signer, next })),
  ]
}

function writeEvidence({ undone, evidence }: Changes, idOf: IdOf, { trx, statements }: WriteDownOptions): Sent {
  const gone = undone.map(idOf)
  const found = evidence.map(({ pid, row }) => ({ settlement: idOf(pid), ...row }))
  return [
    ...ifAny(gone, (ids) => trx.deleteFrom('evidence').where('settlement', 'in', ids).execute()),
    ...ifAny(found, (rows) => statements.insertEvidence(trx, { rows })),
  ]
}

/** How payers and quotas stand now. */
function writeAccounts({ payers, quotas }: Changes, facts: Facts, { trx, statements }: WriteDownOptions): Sent {
  const accounts = [...payers].sort().flatMap((key) => {
    const [network = '', payer = ''] = key.split(' ')
    const known = facts.payers.get(key)
    if (known === undefined) return []
    const { claims, failures, failing_since } = known
    return { network, payer, claims, failures, failing_since }
  })
  const drawn = [...quotas].sort().flatMap((key) => facts.quotas.get(key) ?? [])
  return [
    ...ifAny(accounts, (rows) => statements.putPayers(trx, { rows })),
    ...ifAny(drawn, (rows) =>
      trx
        .insertInto('quota')
        .values(rows)
        .onConflict((conflict) =>
          conflict.column('key').doUpdateSet((eb) => ({ left: eb.ref('excluded.left'), at: eb.ref('excluded.at') })),
        )
        .execute(),
    ),
  ]
}

/** One after the other in one order: many replicas learn of the same block. */
function writeChains({ chains }: Changes, { trx }: WriteDownOptions): Sent {
  return [...chains].sort().map((network) =>
    trx
      .insertInto('chain')
      .values({ network, undone: 1 })
      .onConflict((conflict) =>
        conflict.column('network').doUpdateSet((eb) => ({ undone: eb('chain.undone', '+', 1) })),
      )
      .execute(),
  )
}

function writeOutbox({ outbox, deliveries }: Changes, { trx, statements }: WriteDownOptions): Sent {
  return [
    ...ifAny(outbox, (rows) => statements.insertOutbox(trx, { rows })),
    ...ifAny(deliveries, (rows) => statements.insertDeliveries(trx, { rows })),
  ]
}

function chainEvents({ steps }: Changes, { writer, end: before }: WriteDownOptions) {
  let end = before
  const rows = steps.map((step) => {
    const link = chainEvent(writer, end, step)
    end = link.end
    return link.row
  })
  return { end, rows }
}

/** What is written of is there: it was read, or has just been inserted. */
function known(ids: ReadonlyMap<string, number>, pid: string): number {
  const id = ids.get(pid)
  if (id === undefined) throw new TypeError(`The journal does not have the payment ${pid}`)
  return id
}
