import type { ErrorCode, Refusal } from '@groat/core'
import { noChanges, type SettlementChange, type WriteDownOptions, writeDown } from './changes.js'
import type { ChainEnd } from './events.js'
import { creditKey, type Facts, laneKey, type Needs, type Payer, readFacts, type Standing } from './facts.js'
import type { OutboxTopic } from './outbox.js'
import { type AttemptStatus, edges, phases, type RideStatus, type SettlementState } from './state.js'
import type { FreshSettlement, JournalTables } from './tables.js'

/** One write to the journal: what it has to know, and what it does when it knows. It may be decided again, so it changes only the batch. */
export interface Write<T> extends Needs {
  /** `false`: nothing leaves on account of it before a later write is durable, so it need not survive a loss of power before that. */
  readonly durable?: false
  decide(batch: Batch): T
}

/** Who has to be told of something: endpoints by name, none of them when it only has to be kept, `undefined` when nobody cares. */
export type Telling = (topic: OutboxTopic, tenant: string | null) => readonly string[] | undefined

/** How a batch is written. */
export type BatchOptions = WriteDownOptions & { readonly telling: Telling }

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
  readonly #changes = noChanges()

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

  /** Whether it travels in another slot by now. */
  isRidingElsewhere(pid: string, slot: string): boolean {
    return this.isRiding(pid) && this.#facts.riding.get(pid) !== slot
  }

  lane(network: string, signer: string): JournalTables['lane'] | undefined {
    return this.#facts.lanes.get(laneKey(network, signer))
  }

  /** How often a chain had undone blocks when this batch began. */
  undone(network: string): number {
    return this.#facts.undone.get(network) ?? 0
  }

  /** Whether it has undone more of them since it had undone so many. */
  hasUndone(network: string, since: number): boolean {
    return this.undone(network) !== since || this.#changes.chains.has(network)
  }

  payer(network: string, payer: string): Payer {
    const key = laneKey(network, payer)
    const known = this.#facts.payers.get(key) ?? { claims: 0, failures: 0, failing_since: 0, open: [] }
    this.#facts.payers.set(key, known)
    return known
  }

  /** The newest block in which a payer's money has moved of late, where that was asked for. */
  moved(network: string, payer: string): bigint | undefined {
    return this.#facts.moved.get(laneKey(network, payer))
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
    this.#changes.quotas.add(key)
  }

  /** Gives a token of a quota back. What is more than the quota's burst is cut off when it is drawn from next. */
  giveBack(key: string): void {
    const known = this.#facts.quotas.get(key)
    // Nobody ever drew from it.
    if (known === undefined || known.at === 0) return
    this.#facts.quotas.set(key, { ...known, left: known.left + 1000 })
    this.#changes.quotas.add(key)
  }

  /** Thousandths of a token; what nobody ever drew from is full. The clocks of replicas differ: none makes another's time go back. */
  #left(key: string, perSecond: number, burst: number): number {
    const known = this.#facts.quotas.get(key)
    const most = Math.max(1, burst) * 1000
    if (known === undefined || known.at === 0) return most
    return Math.min(most, known.left + Math.floor(Math.max(0, this.now - known.at) * perSecond))
  }

  /** The block that shows a log which credits a payment; `undefined`: it credits none. */
  creditedIn(network: string, transaction: string, logIndex: number): string | undefined {
    return this.#facts.credited.get(creditKey(network, transaction, logIndex))
  }

  /** A payment that is taken on: for the first time, or again after it was refused. */
  claim(fresh: FreshSettlement, request: string): void {
    const before = this.standing(fresh.pid)
    const row = { ...fresh, told: before?.told ?? 0, created_at: before?.created_at ?? fresh.created_at }
    ;(before === undefined ? this.#changes.inserts : this.#changes.resets).push({ row, request })
    this.#facts.settlements.set(row.pid, row)
    if (row.tenant !== null) this.#facts.tenants.set(row.tenant, this.openOf(row.tenant) + 1)
    const payer = this.payer(row.network, row.payer)
    payer.claims = row.place + 1
    payer.open.push(row)
    this.#changes.payers.add(laneKey(row.network, row.payer))
    this.#tell(row, before?.state ?? null, 'claimed', undefined)
  }

  /** Moves a settlement along an edge; with the refusal that ends it, or the block that shows it; null: that is gone. */
  move(
    pid: string,
    to: SettlementState,
    { refusal, block }: { refusal?: Refusal | undefined; block?: bigint | null } = {},
  ): void {
    const standing = this.standing(pid)
    if (standing === undefined || standing.state === to) return
    const from = standing.state
    if (!edges[from].includes(to)) throw new TypeError(`A settlement does not go from ${from} to ${to}`)
    // What stays is not named: an index over it is left alone.
    const phase = phases[from] === phases[to] ? {} : { phase: phases[to] }
    const at = block === undefined ? {} : { block: block === null ? null : Number(block) }
    const change = { state: to, ...phase, ...at, reason: refusal?.code ?? null, detail: refusal?.detail ?? null }
    this.#change(pid, change)
    this.#facts.settlements.set(pid, { ...standing, state: to })
    this.#tell(standing, from, to, refusal?.code)
  }

  own(pid: string, owner: string | null): void {
    const standing = this.standing(pid)
    if (standing === undefined || standing.owner === owner) return
    this.#change(pid, { owner })
    this.#facts.settlements.set(pid, { ...standing, owner })
  }

  sign(row: JournalTables['attempt'], pids: readonly string[]): void {
    this.#changes.attempts.push(row)
    for (const pid of pids) {
      this.#changes.rides.push({ slot: row.slot, pid })
      this.#facts.riding.set(pid, row.slot)
    }
  }

  /** Bytes under a nonce that is used up. They may be there: they were written once, and nobody was told. */
  outbid(row: JournalTables['attempt']): void {
    this.#changes.outbids.push(row)
  }

  next(lane: JournalTables['lane']): void {
    const key = laneKey(lane.network, lane.signer)
    this.#facts.lanes.set(key, lane)
    this.#changes.nexts.set(key, lane)
  }

  mark(hash: string, status: Exclude<AttemptStatus, 'landed'>): void {
    add(this.#changes.marks, status, hash)
  }

  /** Whatever else was said of it: it is in a block, and has cost so much. */
  land(hash: string, fee: bigint | undefined): void {
    this.#changes.landed.set(hash, fee?.toString() ?? this.#changes.landed.get(hash))
  }

  alight(pid: string, status: RideStatus): void {
    add(this.#changes.rideMarks, status, pid)
    this.#facts.riding.delete(pid)
  }

  /** A place in a transaction that was given up has landed all the same. */
  comeBack(pid: string, slot: string): void {
    this.#changes.back.push({ pid, slot })
  }

  /** A transaction of the payer's failed on our gas. */
  blame(network: string, account: string, window: number): void {
    const payer = this.payer(network, account)
    const isNew = this.now - payer.failing_since > window
    payer.failures = isNew ? 1 : payer.failures + 1
    if (isNew) payer.failing_since = this.now
    this.#changes.payers.add(laneKey(network, account))
  }

  /** So many of the payer's have not failed on its account. */
  forgive(network: string, account: string, failures: number): void {
    const payer = this.payer(network, account)
    payer.failures = Math.max(0, payer.failures - failures)
    this.#changes.payers.add(laneKey(network, account))
  }

  credit(pid: string, row: Omit<JournalTables['evidence'], 'settlement'>): void {
    this.#changes.evidence.push({ pid, row })
    this.#facts.credited.set(creditKey(row.network, row.transaction, row.log_index), row.block_hash)
  }

  /** The chain has undone the block of its evidence; `hashes`: what may land again, in that slot. */
  discredit(
    pid: string,
    { network, transaction, logIndex }: CreditedLog,
    slot: string | undefined,
    hashes: readonly string[],
  ): void {
    this.#facts.credited.delete(creditKey(network, transaction, logIndex))
    this.#changes.undone.push(pid)
    this.#changes.chains.add(network)
    if (slot === undefined) return
    this.#changes.revived.push({ pid, slot, hashes })
    this.#facts.riding.set(pid, slot)
  }

  /** Tells whoever has to know of it. */
  publish(topic: OutboxTopic, pid: string, payload: unknown): void {
    const { telling, writer, end } = this.#options
    const standing = this.standing(pid)
    const endpoints = standing && telling(topic, standing.tenant)
    if (standing === undefined || endpoints === undefined) return
    const { told: turn } = standing
    const id = `${pid}:${topic}:${writer}:${end.seq + this.#changes.steps.length}`
    const created_at = this.now
    this.#changes.outbox.push({
      id,
      topic,
      pid,
      turn,
      payload: JSON.stringify(payload),
      created_at,
      published_at: null,
    })
    for (const endpoint of endpoints) {
      const about = { id: `${id} ${endpoint}`, message: id, endpoint, pid, turn, created_at }
      const fresh = { tries: 0, due_at: 0, owner: null, lease_until: 0, said: null }
      this.#changes.deliveries.push({ ...about, ...fresh, status: 'waiting' })
    }
    this.#change(pid, { told: turn + 1 })
    this.#facts.settlements.set(pid, { ...standing, told: turn + 1 })
  }

  /** Whether somebody has to be told of what is written. */
  get hasDeliveries(): boolean {
    return this.#changes.deliveries.length > 0
  }

  /** Writes it all down and answers where the chain of events then ends. */
  flush(): Promise<ChainEnd> {
    return writeDown(this.#changes, this.#facts, this.#options)
  }

  #change(pid: string, change: SettlementChange): void {
    this.#changes.moves.set(pid, { ...this.#changes.moves.get(pid), ...change })
  }

  #tell(
    { pid, created_at: claimedAt }: Standing,
    from: SettlementState | null,
    to: SettlementState,
    code: ErrorCode | undefined,
  ): void {
    this.#changes.steps.push({ pid, claimedAt, from, to, at: this.now, code })
  }
}

type CreditedLog = { readonly network: string; readonly transaction: string; readonly logIndex: number }

/** A token bucket that all replicas share. */
export type SharedQuota = { readonly key: string; readonly perSecond: number; readonly burst: number }

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, new Set([value]))
  else known.add(value)
}
