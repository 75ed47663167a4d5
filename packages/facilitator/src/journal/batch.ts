import type { ErrorCode, Refusal } from '@groat/core'
import { crashpoint } from '../crashpoint.js'
import { type ChainEnd, chainEvent } from './events.js'
import { creditKey, type Facts, laneKey, type Needs, type Payer, readFacts, type Standing, type Trx } from './facts.js'
import type { OutboxTopic } from './outbox.js'
import { type AttemptStatus, edges, type RideStatus, type SettlementState } from './state.js'
import type { JournalStatements } from './statements.js'
import type { JournalTables } from './tables.js'

/** One write to the journal: what it has to know, and what it does when it knows. It may be decided again, so it changes only the batch. */
export interface Write<T> extends Needs {
  /** `false`: nothing leaves on account of it before a later write is durable, so it need not survive a loss of power before that. */
  readonly durable?: false
  decide(batch: Batch): T
}

/** Who has to be told of something: endpoints by name, none of them when it only has to be kept, `undefined` when nobody cares. */
export type Telling = (topic: OutboxTopic, tenant: string | null) => readonly string[] | undefined

/** How a batch is written. */
export type BatchOptions = {
  readonly trx: Trx
  readonly now: number
  readonly writer: string
  readonly end: ChainEnd
  readonly statements: JournalStatements
  readonly telling: Telling
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
  readonly #marks = new Map<Exclude<AttemptStatus, 'landed'>, Set<string>>()
  /** Hashes with what they cost, where that is known. */
  readonly #landed = new Map<string, string | undefined>()
  readonly #rideMarks = new Map<RideStatus, Set<string>>()
  readonly #evidence: JournalTables['evidence'][] = []
  readonly #undone: string[] = []
  readonly #revived: { readonly pid: string; readonly slot: string; readonly hashes: readonly string[] }[] = []
  readonly #nexts = new Map<string, JournalTables['lane']>()
  readonly #payers = new Set<string>()
  readonly #outbox: JournalTables['outbox'][] = []
  readonly #deliveries: JournalTables['delivery'][] = []
  readonly #quotas = new Set<string>()
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

  /** Payments of a tenant that are under way. */
  openOf(tenant: string): number {
    return this.#facts.tenants.get(tenant) ?? 0
  }

  /** Seconds to wait for a token of a quota; 0: there is one. */
  waitFor({ key, perSecond, burst }: SharedQuota): number {
    const left = this.#left(key, perSecond, burst)
    return left >= 1000 ? 0 : Math.max(1, Math.ceil((1000 - left) / 1000 / perSecond))
  }

  /** Takes a token of a quota. */
  draw({ key, perSecond, burst }: SharedQuota): void {
    const left = Math.max(0, this.#left(key, perSecond, burst) - 1000)
    this.#facts.quotas.set(key, { key, left, at: Math.max(this.now, this.#facts.quotas.get(key)?.at ?? 0) })
    this.#quotas.add(key)
  }

  /** Thousandths of a token; what nobody ever drew from is full. The clocks of replicas differ: none makes another's time go back. */
  #left(key: string, perSecond: number, burst: number): number {
    const known = this.#facts.quotas.get(key)
    const most = Math.max(1, burst) * 1000
    if (known === undefined || known.at === 0) return most
    return Math.min(most, known.left + Math.floor(Math.max(0, this.now - known.at) * perSecond))
  }

  isCredited(network: string, transaction: string, logIndex: number): boolean {
    return this.#facts.credited.has(creditKey(network, transaction, logIndex))
  }

  /** A payment that is taken on: for the first time, or again after it was refused. */
  claim(fresh: JournalTables['settlement']): void {
    const before = this.standing(fresh.pid)
    const row = { ...fresh, told: before?.told ?? 0 }
    ;(before === undefined ? this.#inserts : this.#resets).push(row)
    this.#facts.settlements.set(row.pid, row)
    if (row.tenant !== null) this.#facts.tenants.set(row.tenant, this.openOf(row.tenant) + 1)
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

  mark(hash: string, status: Exclude<AttemptStatus, 'landed'>): void {
    add(this.#marks, status, hash)
  }

  /** Whatever else was said of it: it is in a block, and has cost so much. */
  land(hash: string, fee: bigint | undefined): void {
    this.#landed.set(hash, fee?.toString() ?? this.#landed.get(hash))
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

  /** Tells whoever has to know of it. */
  publish(topic: OutboxTopic, pid: string, payload: unknown): void {
    const { telling, writer, end } = this.#options
    const standing = this.standing(pid)
    const endpoints = standing && telling(topic, standing.tenant)
    if (standing === undefined || endpoints === undefined) return
    const { told: turn } = standing
    const id = `${pid}:${topic}:${writer}:${end.seq + this.#steps.length}`
    const created_at = this.now
    this.#outbox.push({ id, topic, pid, turn, payload: JSON.stringify(payload), created_at, published_at: null })
    for (const endpoint of endpoints) {
      const about = { id: `${id} ${endpoint}`, message: id, endpoint, pid, turn, created_at }
      const fresh = { tries: 0, due_at: 0, owner: null, lease_until: 0, said: null }
      this.#deliveries.push({ ...about, ...fresh, status: 'waiting' })
    }
    this.#change(pid, { told: turn + 1 })
    this.#facts.settlements.set(pid, { ...standing, told: turn + 1 })
  }

  /** Whether somebody has to be told of what is written. */
  get hasDeliveries(): boolean {
    return this.#deliveries.length > 0
  }

  /** Writes it all down and answers where the chain of events then ends. */
  async flush(): Promise<ChainEnd> {
    const { trx, statements } = this.#options
    if (this.#inserts.length > 0) await statements.insertSettlements(trx, { rows: this.#inserts })
    for (const row of this.#resets) await trx.updateTable('settlement').set(row).where('pid', '=', row.pid).execute()
    if (this.#inserts.length + this.#resets.length > 0) crashpoint('FP-02')
    for (const { change, pids } of this.#moves.values()) {
      await statements.change(trx, { change: { ...change, updated_at: this.now }, pids })
    }
    await this.#flushTransactions(trx, statements)
    if (this.#undone.length > 0) await trx.deleteFrom('evidence').where('pid', 'in', this.#undone).execute()
    if (this.#evidence.length > 0) await statements.insertEvidence(trx, { rows: this.#evidence })
    await this.#flushPayers(trx, statements)
    await this.#flushQuotas(trx)
    if (this.#outbox.length > 0) await statements.insertOutbox(trx, { rows: this.#outbox })
    if (this.#deliveries.length > 0) await statements.insertDeliveries(trx, { rows: this.#deliveries })
    return this.#flushEvents(trx, statements)
  }

  async #flushTransactions(trx: Trx, statements: JournalStatements): Promise<void> {
    if (this.#attempts.length > 0) await statements.insertAttempts(trx, { rows: this.#attempts })
    for (const [status, pids] of this.#rideMarks) {
      await statements.markRides(trx, { status, pids: [...pids] })
    }
    if (this.#rides.length > 0) await statements.insertRides(trx, { rows: this.#rides })
    for (const [status, hashes] of this.#marks) {
      await trx
        .updateTable('attempt')
        .set(status === 'sent' ? { status, sent_at: this.now } : { status })
        .where('hash', 'in', [...hashes])
        // What has landed stays so, whatever is said later of one payment in it.
        .where('status', 'in', status === 'sent' ? ['signed'] : ['signed', 'sent'])
        .execute()
    }
    for (const [hash, fee] of this.#landed) {
      await statements.landed(trx, { change: { status: 'landed', ...(fee === undefined ? {} : { fee }) }, hash })
    }
    for (const { pid, slot, hashes } of this.#revived) {
      await trx.updateTable('ride').set({ status: 'live' }).where('slot', '=', slot).where('pid', '=', pid).execute()
      await trx.updateTable('attempt').set({ status: 'signed' }).where('hash', 'in', hashes).execute()
    }
    for (const { network, signer, next } of this.#nexts.values()) {
      await statements.next(trx, { network, signer, next })
    }
  }

  async #flushPayers(trx: Trx, statements: JournalStatements): Promise<void> {
    const rows = [...this.#payers].sort().map((key) => {
      const [network = '', payer = ''] = key.split(' ')
      const { claims, failures, failing_since } = this.payer(network, payer)
      return { network, payer, claims, failures, failing_since }
    })
    if (rows.length > 0) await statements.putPayers(trx, { rows })
  }

  async #flushQuotas(trx: Trx): Promise<void> {
    const rows = [...this.#quotas].sort().flatMap((key) => this.#facts.quotas.get(key) ?? [])
    if (rows.length === 0) return
    await trx
      .insertInto('quota')
      .values(rows)
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet((eb) => ({ left: eb.ref('excluded.left'), at: eb.ref('excluded.at') })),
      )
      .execute()
  }

  async #flushEvents(trx: Trx, statements: JournalStatements): Promise<ChainEnd> {
    let { end } = this.#options
    if (this.#steps.length === 0) return end
    const rows = this.#steps.map((step) => {
      const link = chainEvent(this.#options.writer, end, step)
      end = link.end
      return link.row
    })
    await statements.insertEvents(trx, { rows })
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

/** A token bucket that all replicas share. */
export type SharedQuota = { readonly key: string; readonly perSecond: number; readonly burst: number }

type Change = Partial<Pick<JournalTables['settlement'], 'state' | 'reason' | 'detail' | 'owner' | 'told'>>

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, new Set([value]))
  else known.add(value)
}
