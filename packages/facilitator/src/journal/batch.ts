import type { ErrorCode, Refusal } from '@groat/core'
import type { Transaction } from 'kysely'
import { crashpoint } from '../crashpoint.js'
import { type ChainEnd, chainEvent } from './events.js'
import { type AttemptStatus, edges, openStates, type RideStatus, type SettlementState } from './state.js'
import { inStates, type JournalTables } from './tables.js'

type Trx = Transaction<JournalTables>

/** One write to the journal: what it has to know, and what it does when it knows. It may be decided again, so it changes only the batch. */
export interface Write<T> {
  /** Payments whose standing it is decided by. */
  readonly pids: readonly string[]
  /** Lanes whose standing it is decided by. */
  readonly lane?: { readonly network: string; readonly signer: string }
  /** Payers whose standing it is decided by. */
  readonly payer?: { readonly network: string; readonly payer: string }
  /** A transaction whose credits it is decided by. */
  readonly transaction?: { readonly network: string; readonly hash: string }
  decide(batch: Batch): T
}

type Standing = Pick<
  JournalTables['settlement'],
  'pid' | 'network' | 'state' | 'owner' | 'payer' | 'asset' | 'amount' | 'place'
>
type OpenPayment = Pick<Standing, 'network' | 'asset' | 'amount' | 'place'>
type Payer = { claims: number; failures: number; failing_since: number; readonly open: OpenPayment[] }

/** What the writes of a batch are decided by. */
type Facts = {
  readonly settlements: Map<string, Standing>
  /** Payments with a live ride. */
  readonly riding: Set<string>
  readonly lanes: Map<string, JournalTables['lane']>
  readonly payers: Map<string, Payer>
  readonly credited: Set<string>
}

/** How a batch is written. */
export type BatchOptions = {
  readonly trx: Trx
  readonly now: number
  readonly writer: string
  readonly end: ChainEnd
  /** Locks rows that are decided by, where others may write at the same time. */
  readonly locks: boolean
  /** Whether steps are also put into the outbox. */
  readonly tells: boolean
}

/**
 * Writes that wait together, decided one after the other over the same rows, and written with few statements.
 *
 * @example
 * const batch = await openBatch(writes, options)
 * const answers = writes.map((write) => write.decide(batch))
 * const end = await batch.flush()
 */
export async function openBatch(writes: readonly Write<unknown>[], options: BatchOptions): Promise<Batch> {
  return new Batch(await readFacts(writes, options), options)
}

/** What the writes of a batch have come to so far. */
export class Batch {
  readonly now: number
  readonly #facts: Facts
  readonly #options: BatchOptions
  readonly #inserts: JournalTables['settlement'][] = []
  readonly #resets: JournalTables['settlement'][] = []
  readonly #moves = new Map<string, { readonly change: Change; readonly pids: string[] }>()
  readonly #attempts: JournalTables['attempt'][] = []
  readonly #rides: JournalTables['ride'][] = []
  readonly #marks = new Map<AttemptStatus, Set<string>>()
  readonly #fees = new Map<string, string>()
  readonly #rideMarks = new Map<RideStatus, Set<string>>()
  readonly #evidence: JournalTables['evidence'][] = []
  readonly #undone: string[] = []
  readonly #revived: { readonly pid: string; readonly slot: string; readonly hashes: readonly string[] }[] = []
  readonly #nexts = new Map<string, JournalTables['lane']>()
  readonly #payers = new Set<string>()
  readonly #outbox: JournalTables['outbox'][] = []
  readonly #steps: Parameters<typeof chainEvent>[2][] = []

  constructor(facts: Facts, options: BatchOptions) {
    this.#facts = facts
    this.#options = options
    this.now = options.now
  }

  standing(pid: string): Standing | undefined {
    return this.#facts.settlements.get(pid)
  }

  isRiding(pid: string): boolean {
    return this.#facts.riding.has(pid)
  }

  lane(network: string, signer: string): JournalTables['lane'] | undefined {
    return this.#facts.lanes.get(laneKey(network, signer))
  }

  payer(network: string, payer: string): Payer {
    const key = laneKey(network, payer)
    const known = this.#facts.payers.get(key) ?? { claims: 0, failures: 0, failing_since: 0, open: [] }
    this.#facts.payers.set(key, known)
    return known
  }

  isCredited(network: string, transaction: string, logIndex: number): boolean {
    return this.#facts.credited.has(creditKey(network, transaction, logIndex))
  }

  /** A payment that is taken on: for the first time, or again after it was refused. */
  claim(row: JournalTables['settlement']): void {
    const before = this.standing(row.pid)
    ;(before === undefined ? this.#inserts : this.#resets).push(row)
    this.#facts.settlements.set(row.pid, row)
    const payer = this.payer(row.network, row.payer)
    payer.claims = row.place + 1
    payer.open.push(row)
    this.#payers.add(laneKey(row.network, row.payer))
    this.#tell(row.pid, before?.state ?? null, 'claimed', undefined)
  }

  /** Moves a settlement along an edge. */
  move(pid: string, to: SettlementState, refusal?: Refusal): void {
    const standing = this.standing(pid)
    if (standing === undefined || standing.state === to) return
    const from = standing.state
    if (!edges[from].includes(to)) throw new TypeError(`A settlement does not go from ${from} to ${to}`)
    const change = { state: to, reason: refusal?.code ?? null, detail: refusal?.detail ?? null }
    this.#change(pid, change)
    this.#facts.settlements.set(pid, { ...standing, state: to })
    this.#tell(pid, from, to, refusal?.code)
  }

  own(pid: string, owner: string | null): void {
    const standing = this.standing(pid)
    if (standing === undefined || standing.owner === owner) return
    this.#change(pid, { owner })
    this.#facts.settlements.set(pid, { ...standing, owner })
  }

  sign(row: JournalTables['attempt'], pids: readonly string[]): void {
    this.#attempts.push(row)
    for (const pid of pids) {
      this.#rides.push({ slot: row.slot, pid, status: 'live' })
      this.#facts.riding.add(pid)
    }
  }

  next(lane: JournalTables['lane']): void {
    const key = laneKey(lane.network, lane.signer)
    this.#facts.lanes.set(key, lane)
    this.#nexts.set(key, lane)
  }

  mark(hash: string, status: AttemptStatus, fee?: bigint): void {
    add(this.#marks, status, hash)
    if (fee !== undefined) this.#fees.set(hash, fee.toString())
  }

  alight(pid: string, status: RideStatus): void {
    add(this.#rideMarks, status, pid)
    this.#facts.riding.delete(pid)
  }

  /** A transaction of the payer's failed on our gas. */
  blame(network: string, account: string, window: number): void {
    const payer = this.payer(network, account)
    const isNew = this.now - payer.failing_since > window
    payer.failures = isNew ? 1 : payer.failures + 1
    if (isNew) payer.failing_since = this.now
    this.#payers.add(laneKey(network, account))
  }

  credit(row: JournalTables['evidence']): void {
    this.#evidence.push(row)
    this.#facts.credited.add(creditKey(row.network, row.transaction, row.log_index))
  }

  /** The block of its evidence is gone; `attempts`: what may land again, in that slot. */
  discredit(pid: string, slot: string | undefined, hashes: readonly string[]): void {
    this.#undone.push(pid)
    if (slot === undefined) return
    this.#revived.push({ pid, slot, hashes })
    this.#facts.riding.add(pid)
  }

  publish(topic: string, pid: string, payload: unknown): void {
    if (!this.#options.tells) return
    const id = `${pid}:${topic}:${this.#options.writer}:${this.#options.end.seq + this.#steps.length}`
    this.#outbox.push({ id, topic, pid, payload: JSON.stringify(payload), created_at: this.now, published_at: null })
  }

  /** Writes it all down and answers where the chain of events then ends. */
  async flush(): Promise<ChainEnd> {
    const { trx } = this.#options
    if (this.#inserts.length > 0) await trx.insertInto('settlement').values(this.#inserts).execute()
    for (const row of this.#resets) await trx.updateTable('settlement').set(row).where('pid', '=', row.pid).execute()
    if (this.#inserts.length + this.#resets.length > 0) crashpoint('FP-02')
    for (const { change, pids } of this.#moves.values()) {
      await trx
        .updateTable('settlement')
        .set({ ...change, updated_at: this.now })
        .where('pid', 'in', pids)
        .execute()
    }
    await this.#flushTransactions(trx)
    if (this.#undone.length > 0) await trx.deleteFrom('evidence').where('pid', 'in', this.#undone).execute()
    if (this.#evidence.length > 0) await trx.insertInto('evidence').values(this.#evidence).execute()
    await this.#flushPayers(trx)
    if (this.#outbox.length > 0) await trx.insertInto('outbox').values(this.#outbox).execute()
    return this.#flushEvents(trx)
  }

  async #flushTransactions(trx: Trx): Promise<void> {
    if (this.#attempts.length > 0) await trx.insertInto('attempt').values(this.#attempts).execute()
    for (const [status, pids] of this.#rideMarks) {
      await trx
        .updateTable('ride')
        .set({ status })
        .where('pid', 'in', [...pids])
        .where('status', '=', 'live')
        .execute()
    }
    if (this.#rides.length > 0) await trx.insertInto('ride').values(this.#rides).execute()
    for (const [status, hashes] of this.#marks) {
      await trx
        .updateTable('attempt')
        .set(status === 'sent' ? { status, sent_at: this.now } : { status })
        .where('hash', 'in', [...hashes])
        // What has landed stays so, whatever is said later of one payment in it.
        .where('status', 'in', status === 'landed' ? everyStatus : status === 'sent' ? ['signed'] : ['signed', 'sent'])
        .execute()
    }
    for (const { pid, slot, hashes } of this.#revived) {
      await trx.updateTable('ride').set({ status: 'live' }).where('slot', '=', slot).where('pid', '=', pid).execute()
      await trx.updateTable('attempt').set({ status: 'signed' }).where('hash', 'in', hashes).execute()
    }
    for (const [hash, fee] of this.#fees)
      await trx.updateTable('attempt').set({ fee }).where('hash', '=', hash).execute()
    for (const { network, signer, next } of this.#nexts.values()) {
      await trx.updateTable('lane').set({ next }).where('network', '=', network).where('signer', '=', signer).execute()
    }
  }

  async #flushPayers(trx: Trx): Promise<void> {
    const rows = [...this.#payers].sort().map((key) => {
      const [network = '', payer = ''] = key.split(' ')
      const { claims, failures, failing_since } = this.payer(network, payer)
      return { network, payer, claims, failures, failing_since }
    })
    if (rows.length === 0) return
    await trx
      .insertInto('payer')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['network', 'payer']).doUpdateSet((eb) => ({
          claims: eb.ref('excluded.claims'),
          failures: eb.ref('excluded.failures'),
          failing_since: eb.ref('excluded.failing_since'),
        })),
      )
      .execute()
  }

  async #flushEvents(trx: Trx): Promise<ChainEnd> {
    let { end } = this.#options
    if (this.#steps.length === 0) return end
    const rows = this.#steps.map((step) => {
      const link = chainEvent(this.#options.writer, end, step)
      end = link.end
      return link.row
    })
    await trx.insertInto('event').values(rows).execute()
    return end
  }

  #change(pid: string, change: Change): void {
    const key = JSON.stringify(change)
    const known = this.#moves.get(key)
    if (known === undefined) this.#moves.set(key, { change, pids: [pid] })
    else known.pids.push(pid)
  }

  #tell(pid: string, from: SettlementState | null, to: SettlementState, code: ErrorCode | undefined): void {
    this.#steps.push({ pid, from, to, at: this.now, code })
  }
}

type Change = Partial<Pick<JournalTables['settlement'], 'state' | 'reason' | 'detail' | 'owner'>>

const everyStatus: readonly AttemptStatus[] = ['signed', 'sent', 'failed', 'void']

async function readFacts(writes: readonly Write<unknown>[], { trx, locks }: BatchOptions): Promise<Facts> {
  const pids = [...new Set(writes.flatMap((write) => write.pids))]
  const transactions = unique(
    writes.flatMap(({ transaction }) => transaction ?? []),
    ({ network, hash }) => laneKey(network, hash),
  )
  const lanes = unique(
    writes.flatMap(({ lane }) => lane ?? []),
    ({ network, signer }) => laneKey(network, signer),
  )
  const payers = unique(
    writes.flatMap(({ payer }) => payer ?? []),
    ({ network, payer }) => laneKey(network, payer),
  )
  // Locks are taken in one order by everybody: payers, payments, lanes.
  const known = await readPayers(trx, payers, locks)
  const columns = ['pid', 'network', 'state', 'owner', 'payer', 'asset', 'amount', 'place'] as const
  const rows =
    pids.length === 0
      ? []
      : await trx
          .selectFrom('settlement')
          .select(columns)
          .where('pid', 'in', pids)
          .orderBy('pid')
          .$if(locks, (query) => query.forUpdate())
          .execute()
  const riding =
    pids.length === 0
      ? []
      : await trx.selectFrom('ride').select('pid').where('pid', 'in', pids).where('status', '=', 'live').execute()
  const laneRows = new Map<string, JournalTables['lane']>()
  for (const { network, signer } of lanes) {
    const row = await trx
      .selectFrom('lane')
      .selectAll()
      .where('network', '=', network)
      .where('signer', '=', signer)
      .$if(locks, (query) => query.forUpdate())
      .executeTakeFirst()
    if (row !== undefined) laneRows.set(laneKey(network, signer), row)
  }
  const credited =
    transactions.length === 0
      ? []
      : await trx
          .selectFrom('evidence')
          .select(['network', 'transaction', 'log_index'])
          .where(
            'network',
            'in',
            unique(transactions, ({ network }) => network).map(({ network }) => network),
          )
          .where(
            'transaction',
            'in',
            transactions.map(({ hash }) => hash),
          )
          .execute()
  return {
    settlements: new Map(rows.map((row) => [row.pid, row])),
    riding: new Set(riding.map(({ pid }) => pid)),
    lanes: laneRows,
    payers: known,
    credited: new Set(credited.map((row) => creditKey(row.network, row.transaction, row.log_index))),
  }
}

/** Payers with what they have under way. Where others write too, their rows are locked first, so that no two claims count past each other. */
async function readPayers(
  trx: Trx,
  payers: readonly { readonly network: string; readonly payer: string }[],
  locks: boolean,
): Promise<Map<string, Payer>> {
  const found = new Map<string, Payer>()
  if (payers.length === 0) return found
  const accounts = [...new Set(payers.map(({ payer }) => payer))]
  if (locks) {
    const blank = { claims: 0, failures: 0, failing_since: 0 }
    const rows = payers.map(({ network, payer }) => ({ network, payer, ...blank }))
    await trx
      .insertInto('payer')
      .values(rows.sort((a, b) => (laneKey(a.network, a.payer) < laneKey(b.network, b.payer) ? -1 : 1)))
      .onConflict((conflict) =>
        conflict.columns(['network', 'payer']).doUpdateSet({ payer: (eb) => eb.ref('excluded.payer') }),
      )
      .execute()
  }
  const networks = [...new Set(payers.map(({ network }) => network))]
  const known = trx.selectFrom('payer').selectAll().where('network', 'in', networks).where('payer', 'in', accounts)
  for (const row of await known.execute()) {
    const { network, payer, claims, failures, failing_since } = row
    found.set(laneKey(network, payer), { claims, failures, failing_since, open: [] })
  }
  const open = await trx
    .selectFrom('settlement')
    .select(['network', 'payer', 'asset', 'amount', 'place'])
    .where('payer', 'in', accounts)
    .where(inStates(openStates))
    .execute()
  for (const row of open) found.get(laneKey(row.network, row.payer))?.open.push(row)
  return found
}

function laneKey(network: string, account: string): string {
  return `${network} ${account}`
}

function creditKey(network: string, transaction: string, logIndex: number): string {
  return `${network} ${transaction} ${logIndex}`
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, new Set([value]))
  else known.add(value)
}
