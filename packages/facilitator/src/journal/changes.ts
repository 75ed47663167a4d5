import { crashpoint } from '../crashpoint.js'
import { type ChainEnd, chainEvent, type EventStep } from './events.js'
import type { Facts, Trx } from './facts.js'
import type { AttemptStatus, RideStatus } from './state.js'
import type { JournalStatements } from './statements.js'
import type { FreshSettlement, JournalTables, SettlementRow } from './tables.js'

/** What the writes of a batch come to, row by row. */
export type Changes = {
  readonly inserts: Taken[]
  readonly resets: Taken[]
  /** The same change of several is one statement. */
  readonly moves: Map<string, { readonly change: SettlementChange; readonly pids: string[] }>
  readonly attempts: JournalTables['attempt'][]
  readonly rides: { readonly slot: string; readonly pid: string }[]
  readonly marks: Map<Exclude<AttemptStatus, 'landed'>, Set<string>>
  /** Hashes with what they cost, where that is known. */
  readonly landed: Map<string, string | undefined>
  readonly rideMarks: Map<RideStatus, Set<string>>
  readonly evidence: { readonly pid: string; readonly row: Omit<JournalTables['evidence'], 'settlement'> }[]
  /** Payments whose evidence is gone, and what of theirs may land again. */
  readonly undone: string[]
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
    ...{ inserts: [], resets: [], moves: new Map() },
    ...{ attempts: [], rides: [], marks: new Map(), landed: new Map(), rideMarks: new Map() },
    ...{ evidence: [], undone: [], revived: [] },
    ...{ nexts: new Map(), payers: new Set(), quotas: new Set() },
    ...{ outbox: [], deliveries: [], steps: [] },
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
  const { trx, statements, now } = options
  const { moves, undone, evidence, outbox, deliveries } = changes
  await writeTaken(changes, facts, options)
  const idOf = (pid: string) => known(facts.ids, pid)
  for (const { change, pids } of moves.values()) {
    await statements.change(trx, { change: { ...change, updated_at: now }, ids: pids.map(idOf) })
  }
  await writeTransactions(changes, idOf, options)
  if (undone.length > 0) await trx.deleteFrom('evidence').where('settlement', 'in', undone.map(idOf)).execute()
  if (evidence.length > 0) {
    await statements.insertEvidence(trx, { rows: evidence.map(({ pid, row }) => ({ settlement: idOf(pid), ...row })) })
  }
  await writePayers(changes, facts, options)
  await writeQuotas(changes, facts, options)
  if (outbox.length > 0) await statements.insertOutbox(trx, { rows: outbox })
  if (deliveries.length > 0) await statements.insertDeliveries(trx, { rows: deliveries })
  return writeEvents(changes, options)
}

async function writeTaken({ inserts, resets }: Changes, { ids }: Facts, { trx, statements }: WriteDownOptions) {
  if (inserts.length > 0) {
    const { rows } = await statements.insertSettlements(trx, { rows: inserts.map(({ row }) => row) })
    for (const { pid, id } of rows) ids.set(pid, id)
    const bodies = inserts.map(({ row, request }) => ({ settlement: known(ids, row.pid), body: request }))
    await statements.insertRequests(trx, { rows: bodies })
  }
  for (const { row, request: body } of resets) {
    const settlement = known(ids, row.pid)
    await trx.updateTable('settlement').set(row).where('id', '=', settlement).execute()
    await trx
      .insertInto('request')
      .values({ settlement, body })
      .onConflict((conflict) => conflict.column('settlement').doUpdateSet({ body }))
      .execute()
  }
  if (inserts.length + resets.length > 0) crashpoint('FP-02')
}

async function writeTransactions(
  changes: Changes,
  idOf: (pid: string) => number,
  { trx, statements, now }: WriteDownOptions,
): Promise<void> {
  const { attempts, rides, marks, landed, rideMarks, revived, nexts } = changes
  if (attempts.length > 0) await statements.insertAttempts(trx, { rows: attempts })
  for (const [status, pids] of rideMarks) await statements.markRides(trx, { status, ids: [...pids].map(idOf) })
  if (rides.length > 0) {
    const rows = rides.map(({ slot, pid }) => ({ slot, settlement: idOf(pid), status: 'live' as const }))
    await statements.insertRides(trx, { rows })
  }
  for (const [status, hashes] of marks) {
    await trx
      .updateTable('attempt')
      .set(status === 'sent' ? { status, sent_at: now } : { status })
      .where('hash', 'in', [...hashes])
      // What has landed stays so, whatever is said later of one payment in it.
      .where('status', 'in', status === 'sent' ? ['signed'] : ['signed', 'sent'])
      .execute()
  }
  for (const [hash, fee] of landed) {
    await statements.landed(trx, { change: { status: 'landed', ...(fee === undefined ? {} : { fee }) }, hash })
  }
  for (const { pid, slot, hashes } of revived) {
    await trx
      .updateTable('ride')
      .set({ status: 'live' })
      .where('slot', '=', slot)
      .where('settlement', '=', idOf(pid))
      .execute()
    await trx.updateTable('attempt').set({ status: 'signed' }).where('hash', 'in', hashes).execute()
  }
  for (const { network, signer, next } of nexts.values()) await statements.next(trx, { network, signer, next })
}

async function writePayers({ payers }: Changes, facts: Facts, { trx, statements }: WriteDownOptions): Promise<void> {
  const rows = [...payers].sort().flatMap((key) => {
    const [network = '', payer = ''] = key.split(' ')
    const known = facts.payers.get(key)
    if (known === undefined) return []
    const { claims, failures, failing_since } = known
    return { network, payer, claims, failures, failing_since }
  })
  if (rows.length > 0) await statements.putPayers(trx, { rows })
}

async function writeQuotas({ quotas }: Changes, facts: Facts, { trx }: WriteDownOptions): Promise<void> {
  const rows = [...quotas].sort().flatMap((key) => facts.quotas.get(key) ?? [])
  if (rows.length === 0) return
  await trx
    .insertInto('quota')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet((eb) => ({ left: eb.ref('excluded.left'), at: eb.ref('excluded.at') })),
    )
    .execute()
}

async function writeEvents({ steps }: Changes, options: WriteDownOptions): Promise<ChainEnd> {
  const { trx, statements, writer } = options
  let { end } = options
  if (steps.length === 0) return end
  const rows = steps.map((step) => {
    const link = chainEvent(writer, end, step)
    end = link.end
    return link.row
  })
  await statements.insertEvents(trx, { rows })
  return end
}

/** What is written of is there: it was read, or has just been inserted. */
function known(ids: ReadonlyMap<string, number>, pid: string): number {
  const id = ids.get(pid)
  if (id === undefined) throw new TypeError(`The journal does not have the payment ${pid}`)
  return id
}
