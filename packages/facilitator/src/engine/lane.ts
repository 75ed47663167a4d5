import {
  type ChainDriver,
  type Clock,
  type ErrorCode,
  type Network,
  type SendOutcome,
  type SignedTransaction,
  sameAddress,
  X402Error,
} from '@groat/core'
import { crashpoint } from '../crashpoint.js'
import type { Hold, Journal, Written } from '../journal/journal.js'
import { type SettlementRecord, slotOf } from '../journal/record.js'
import { isOpen } from '../journal/state.js'
import type { Timers } from '../timers.js'
import type { Budget } from './budget.js'
import { pollDelay } from './plan.js'
import { createSignal, type Signal } from './signal.js'

/**
 * One signer on one chain. Nonces are given out here, one after the other, from the journal; bytes leave only after they are in it, and
 * the lowest nonce that is not out goes first, so that no gap stays open. Payments that wait for it together leave in one transaction,
 * where the chain can do that. What does not land goes out again, and then pays more.
 */
export interface Lane {
  readonly network: Network
  readonly signer: string
  /** Whether one replica signs here at a time. On chains without nonces everybody may. */
  readonly isOrdered: boolean
  /** Whether this replica may sign here. */
  readonly held: boolean
  /** Whether nothing is under way. */
  readonly idle: boolean
  /** Why nothing new can be sent: what the node said to the transaction at the head. */
  readonly blocked: ErrorCode | undefined
  /** Takes up where the journal and the chain stand. Throws when either cannot be read. */
  take(hold: Hold): Promise<void>
  /** Somebody else signs here from now on. */
  lose(): void
  /**
   * Signs and writes the bytes down. `late` says that signing is no longer wanted, `lost` that this replica cannot; then, and when it throws,
   * no nonce is used up. Throws `X402Error` of the chain, of the journal, and the code under which the lane is blocked.
   */
  sign(record: SettlementRecord, call: unknown, late: () => boolean): Promise<Written | 'late' | 'lost'>
  /** Sends bytes that are in the journal. Never throws: what is not certain is `unknown`. */
  send(transaction: SignedTransaction): Promise<SendOutcome>
  /** Resolves when the nonce of a transaction is in a block; `undefined` where that cannot be known, or is known already. */
  included(transaction: SignedTransaction): Promise<void> | undefined
  /**
   * Resolves with true when it is worth asking what became of a transaction that has just been sent, with false when its block will take longer
   * than anybody wants to wait before writing down that it was sent.
   */
  soon(transaction: SignedTransaction): Promise<boolean>
  /** How often a transaction has been outbid by now. */
  outbids(transaction: SignedTransaction): number
  /** The transaction has landed or can land no more. */
  forget(transaction: SignedTransaction): void
  /** A payment in it is over, but its nonce is not: it is sent until the nonce is gone. */
  leave(transaction: SignedTransaction): void
  /** The chain has undone blocks: what was in them goes out again. */
  reopen(): Promise<void>
  stop(): Promise<void>
}

/** What a lane works with. */
export type LaneOptions = {
  readonly chain: ChainDriver
  readonly signer: string
  readonly journal: Journal
  readonly clock: Clock
  readonly timers: Timers
  readonly budget: Budget
  /** What has to be sent for payments, from what the journal knows of them. */
  readonly recall: (records: readonly SettlementRecord[]) => Promise<unknown>
  /** What the transaction of one payment may cost at the most, in the chain's own coin. */
  readonly maxCost: (record: SettlementRecord) => bigint | undefined
  /** Transactions that wait for a block at the same time; what comes on top waits and leaves together. */
  readonly depth: number
  /** Milliseconds after which what has not landed is sent again. */
  readonly rebroadcast: number
  readonly onError: (error: unknown) => void
}

/** What was signed under one nonce and may still land, as the lane sees it. */
type Slot = {
  readonly id: string
  readonly nonce: bigint
  /** Those that outbid each other, the dearest last. */
  readonly transactions: SignedTransaction[]
  /** A node has the dearest. */
  out: boolean
  /** It could not be sent at one time. */
  failed: boolean
  /** It is being sent right now. */
  flight?: Promise<SendOutcome> | undefined
  /** The payments in it are over. */
  ended: boolean
  /** The nonce is in a block. */
  included: boolean
  readonly landed: Signal
  /** When it was signed, and when it was last sent. */
  readonly since: number
  sentAt: number
  /** The chain's height when it was first seen to wait for its block. */
  height?: bigint
}

/** A payment that waits to be signed for. */
type Rider = {
  readonly record: SettlementRecord
  readonly call: unknown
  readonly late: () => boolean
  /** It travels with nobody. */
  alone: boolean
  asked?: { readonly at: number; readonly admitted: Promise<boolean> }
  resolve(written: Written | 'late' | 'lost'): void
  reject(error: unknown): void
}

/** Makes a lane. It does nothing before it is taken. */
export function createLane(options: LaneOptions): Lane {
  const { chain, signer, journal, clock, timers, budget, recall, depth, rebroadcast, onError } = options
  const { network, groups } = chain
  /** By id. Signing goes by nonce, so they stand in its order. */
  const open = new Map<string, Slot>()
  const queue: Rider[] = []
  /** Without nonces nothing waits for anything, and nobody is in anybody's way. */
  const isOrdered = chain.nextNonce !== undefined
  let hold: Hold | undefined
  /** Read again when `undefined`. */
  let next: bigint | undefined
  let mined: bigint | undefined
  let lookedAt = 0
  let blocked: ErrorCode | undefined
  let pumping = false
  let tending: Promise<void> | undefined
  let wake: Signal | undefined
  let regressions = 0
  /** Milliseconds that transactions have lately taken from a node into a block. */
  let typical = QUICK / 8
  let stopped = false

  async function pump(): Promise<void> {
    if (pumping) return
    pumping = true
    try {
      while (queue.length > 0 && waiting() < room()) {
        // Those whose checks end in the same turn of the loop come along.
        await timers.turn()
        const group = await board()
        if (group.length > 0) await signFor(group)
      }
    } finally {
      pumping = false
    }
  }

  /** Where blocks come at once, those that can travel together wait for one another rather than for the same block in several transactions. */
  function room(): number {
    const [first] = queue
    if (typical < QUICK && first !== undefined && couldJoin(first)) return 1
    return Math.min(depth, chain.mostPending?.(signer) ?? depth)
  }

  function couldJoin(rider: Rider): boolean {
    return groups !== undefined && !rider.alone && groups.joins(rider.call)
  }

  function waiting(): number {
    let count = 0
    for (const { included } of open.values()) if (!included) count += 1
    return count
  }

  /** Who leaves next: the first in line, and all who may travel with it. */
  async function board(): Promise<readonly Rider[]> {
    const [first] = queue
    if (first === undefined) return []
    const candidates = couldJoin(first) ? queue.filter(couldJoin) : [first]
    const places = candidates.length === 1 ? undefined : groups?.company(candidates.map(({ call }) => call))
    const company = places === undefined ? [first] : places.flatMap((at) => candidates[at] ?? [])
    const admitted = company.length === 1 ? [true] : await Promise.all(company.map(isAdmitted))
    for (const [at, rider] of company.entries()) rider.alone ||= !admitted[at]
    const group = company.filter((rider) => rider === first || (!first.alone && !rider.alone))
    for (const rider of group) queue.splice(queue.indexOf(rider), 1)
    return group.filter((rider) => {
      if (!rider.late()) return true
      rider.resolve('late')
      return false
    })
  }

  function isAdmitted(rider: Rider): Promise<boolean> {
    const known = rider.asked
    if (known !== undefined && clock() - known.at < ADMISSION) return known.admitted
    // Who cannot be asked about travels alone: that harms nobody.
    const admitted = groups?.admits(rider.call).catch(() => false) ?? Promise.resolve(false)
    rider.asked = { at: clock(), admitted }
    return admitted
  }

  async function signFor(riders: readonly Rider[]): Promise<void> {
    let group = riders
    try {
      while (group.length > 0) {
        const written = await signOnce(group)
        if (written === 'nonce_used') continue
        if (written === 'lost') {
          lose()
          for (const rider of group) rider.resolve('lost')
          return
        }
        if (!('moved' in written)) {
          for (const [at, rider] of group.entries()) rider.resolve(written[at] ?? 'moved')
          return
        }
        const { moved } = written
        for (const rider of group) if (moved.includes(rider.record.pid)) rider.resolve('moved')
        group = group.filter(({ record }) => !moved.includes(record.pid))
      }
    } catch (error) {
      if (X402Error.is(error) || group.length === 1) for (const rider of group) rider.reject(error)
      else queue.unshift(...group.map((rider) => Object.assign(rider, { alone: true })))
    }
  }

  async function signOnce(group: readonly Rider[]) {
    const [first] = group
    if (blocked !== undefined) throw new X402Error(blocked, { network })
    if (isOrdered && hold === undefined) return 'lost'
    const nonce = chain.nextNonce === undefined ? undefined : (next ?? (await standing(chain.nextNonce(signer))))
    crashpoint('FP-04')
    const calls = group.map(({ call }) => call)
    const call = groups === undefined || group.length === 1 ? first?.call : groups.join(calls)
    const records = group.map(({ record }) => record)
    const transaction = await signed(call, nonce, [], await mostFor(records))
    crashpoint('FP-05')
    // Should writing fail, it may have been written all the same: the journal will say where we stand.
    next = undefined
    const written = await journal.signed(records, transaction, hold)
    if (typeof written === 'string' || 'moved' in written) return written
    crashpoint('FP-06')
    if (nonce !== undefined) next = nonce + 1n
    budget.spend(transaction.hash, transaction.maxCost)
    keep(transaction, false)
    return written
  }

  async function signed(
    call: unknown,
    nonce: bigint | undefined,
    outbids: readonly SignedTransaction[],
    maxCost: bigint | undefined,
  ): Promise<SignedTransaction> {
    const transaction = await chain.sign(call, {
      signer,
      ...(nonce === undefined ? {} : { nonce }),
      ...(outbids.length === 0 ? {} : { outbids }),
      ...(maxCost === undefined ? {} : { maxCost }),
    })
    if (!sameAddress(transaction.signer, signer) || transaction.nonce !== nonce) {
      throw new TypeError('The chain driver signed something else than it was asked to')
    }
    return transaction
  }

  /** What a transaction for these payments may cost: what each is worth it, within what is left of the hour. */
  async function mostFor(records: readonly SettlementRecord[]): Promise<bigint | undefined> {
    const left = await budget.left()
    let most: bigint | undefined = 0n
    for (const record of records) {
      const each = options.maxCost(record)
      most = each === undefined || most === undefined ? undefined : most + each
    }
    if (records.length === 0) most = undefined
    if (most === undefined) return left
    return left === undefined || most < left ? most : left
  }

  /** The journal knows what we signed, the chain knows what others signed with the same key. */
  async function standing(seen: Promise<bigint>): Promise<bigint> {
    const [{ next: written = 0n }, onChain] = await Promise.all([journal.lane(network, signer), seen])
    if (written > onChain) return written
    return onChain
  }

  function keep(transaction: SignedTransaction, ended: boolean): Slot {
    const id = slotOf(network, transaction)
    const known = open.get(id)
    if (known !== undefined) {
      if (!known.transactions.some(({ hash }) => hash === transaction.hash)) known.transactions.push(transaction)
      return known
    }
    const slot: Slot = {
      id,
      nonce: transaction.nonce ?? 0n,
      transactions: [transaction],
      out: false,
      failed: false,
      ended,
      included: false,
      landed: createSignal(),
      since: clock(),
      sentAt: clock(),
    }
    open.set(id, slot)
    watchOver()
    wake?.give()
    return slot
  }

  /** What is open is looked after for as long as this replica may; whoever takes the lane begins anew. */
  function watchOver(): void {
    tending ??= tend().finally(() => {
      tending = undefined
      if (isWatching()) watchOver()
    })
  }

  function isWatching(): boolean {
    return !stopped && open.size > 0 && (!isOrdered || hold !== undefined)
  }

  function drop(slot: Slot): void {
    // What stood in the way may have been this one; the next send says whether something still does.
    if (open.delete(slot.id)) blocked = undefined
    slot.included = true
    slot.landed.give()
    void pump()
  }

  function transmit(slot: Slot): Promise<SendOutcome> {
    slot.flight ??= sendBytes(slot).finally(() => {
      slot.flight = undefined
    })
    return slot.flight
  }

  async function sendBytes(slot: Slot): Promise<SendOutcome> {
    const newest = slot.transactions.at(-1)
    if (newest === undefined) return { status: 'unknown', reason: 'nothing is signed' }
    slot.sentAt = clock()
    // An answer that waits for the block would keep others waiting for theirs.
    const isLonely = queue.length === 0 && waiting() <= 1
    const said = await chain.send(newest, isLonely && typical < QUICK).catch((error): SendOutcome => {
      if (!X402Error.is(error)) onError(error)
      return { status: 'unknown', reason: X402Error.is(error) ? error.code : 'unexpected' }
    })
    slot.out = said.status === 'accepted'
    slot.failed ||= !slot.out
    if (said.status === 'accepted') {
      blocked = undefined
      if (said.included) {
        include(slot)
        void pump()
      }
      wake?.give()
    }
    if (said.status === 'rejected') blocked = said.code
    // Somebody else signs with this key.
    if (said.status === 'nonce_taken') next = undefined
    return said
  }

  async function send(transaction: SignedTransaction): Promise<SendOutcome> {
    // Whoever holds the lane sends what is signed in it.
    if (isOrdered && hold === undefined) return { status: 'unknown', reason: 'another replica sends it' }
    const mine = open.get(slotOf(network, transaction)) ?? keep(transaction, false)
    if (isOrdered) {
      for (const lower of open.values()) {
        const isUnderWay = lower.flight !== undefined && !lower.failed
        if (lower.out || lower.included || isUnderWay || lower.nonce >= mine.nonce) continue
        const said = await transmit(lower)
        if (said.status === 'unknown' || said.status === 'rejected') {
          return { status: 'unknown', reason: 'an earlier transaction is not out yet' }
        }
      }
    }
    return transmit(mine)
  }

  /** Looks after what is signed until all of it is in blocks: as soon as one may be expected, then ever more slowly. */
  async function tend(): Promise<void> {
    while (isWatching()) {
      wake = createSignal()
      const isDue = await Promise.race([nap(lookDelay()).then(() => true), wake.given.then(() => false)])
      if (!isWatching()) return
      // Something new is under way: it is looked at when its own time has come.
      if (isDue && !isAnswering()) await look().catch(onError)
    }
  }

  /** Whether nodes are about to say of everything here what there is to say. */
  function isAnswering(): boolean {
    const asOf = clock() - ANSWERS_IN
    return [...open.values()].every(
      ({ included, flight, sentAt }) => included || (flight !== undefined && sentAt > asOf),
    )
  }

  function nap(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void timers.background(milliseconds, resolve))
  }

  function lookDelay(): number {
    if (!isOrdered) return rebroadcast
    const youngest = Math.max(...[...open.values()].map(({ sentAt }) => sentAt))
    const age = clock() - youngest
    return typical < QUICK && age < 2 * typical ? Math.max(typical / 2, 1) : pollDelay(age)
  }

  async function look(): Promise<void> {
    const gone = chain.minedNonce === undefined ? await chain.nextNonce?.(signer) : await chain.minedNonce(signer)
    // One node may be behind another; a chain that says so twice has undone blocks.
    regressions = gone !== undefined && mined !== undefined && gone < mined ? regressions + 1 : 0
    if (regressions === 1) return
    if (gone !== undefined && regressions > 1) await reopen(gone)
    mined = gone ?? mined
    const passed = [...open.values()].filter(({ nonce }) => gone !== undefined && nonce < gone)
    passed.forEach(include)
    const over = passed.filter(({ ended, since }) => ended || clock() - since > FORGET_AFTER)
    if (over.length > 0) await journal.spent(over.flatMap(({ transactions }) => transactions.map(({ hash }) => hash)))
    over.forEach(drop)
    if (passed.length > 0) void pump()
    await hurry()
  }

  /** Its nonce is in a block. */
  function include(slot: Slot): void {
    if (!slot.included && !slot.failed) typical = 0.7 * typical + 0.3 * Math.max(clock() - slot.sentAt, 0)
    slot.included = true
    slot.landed.give()
  }

  /** Sends again what has not landed, in order; makes those pay more that blocks went by without. */
  async function hurry(): Promise<void> {
    const late = [...open.values()].filter(({ included }) => !included)
    const now = clock()
    for (const slot of late) {
      const isRecent = now - slot.sentAt < rebroadcast
      // What comes after one that is not out would wait in the pool for it.
      if (isRecent && isOrdered && slot.failed && !slot.out) break
      if (isRecent) continue
      const said = await transmit(slot)
      if (isOrdered && (said.status === 'unknown' || said.status === 'rejected')) break
    }
    const [oldest] = late
    if (!isOrdered || chain.head === undefined || oldest === undefined) return
    if (now - oldest.since < LOOK_AFTER || now - lookedAt < LOOK_AFTER) return
    lookedAt = now
    const { latest } = await chain.head()
    await fillGaps()
    for (const slot of late) {
      slot.height ??= latest
      if (latest - slot.height < BLOCKS_TO_WAIT || slot.included) continue
      slot.height = latest
      await outbid(slot)
    }
  }

  async function outbid(slot: Slot): Promise<void> {
    if (slot.transactions.length > MOST_OUTBIDS) return
    const riders = await journal.riders(slot.id)
    const isOver = riders.every(({ state }) => !isOpen(state))
    const call = isOver ? chain.idle?.(signer) : await recall(riders)
    if (call === undefined) return
    try {
      const transaction = await signed(call, slot.nonce, slot.transactions, await mostFor(isOver ? [] : riders))
      crashpoint('FP-12')
      if ((await journal.outbid(network, transaction, hold)) === 'lost') return lose()
      budget.spend(transaction.hash, transaction.maxCost)
      slot.transactions.push(transaction)
      slot.out = false
      await slot.flight
      await transmit(slot)
    } catch (error) {
      if (!X402Error.is(error)) throw error
      // It stays as it is, and nothing new joins the line until it has landed.
      if (error.code === 'fee_above_limit') blocked = error.code
      onError(error)
    }
  }

  /** A nonce that nothing of ours will use holds up all that follow it. */
  async function fillGaps(): Promise<void> {
    if (chain.idle === undefined || chain.nextNonce === undefined || hold === undefined || mined === undefined) return
    const highest = Math.max(-1, ...[...open.values()].map(({ nonce }) => Number(nonce)))
    const pooled = await chain.nextNonce(signer)
    for (let nonce = pooled > mined ? pooled : mined; nonce < highest; nonce++) {
      if (open.has(slotOf(network, { signer, nonce, hash: '', raw: '' }))) continue
      const transaction = await signed(chain.idle(signer), nonce, [], await budget.left())
      if ((await journal.outbid(network, transaction, hold)) === 'lost') return lose()
      await transmit(keep(transaction, true))
    }
  }

  async function reopen(from: bigint): Promise<void> {
    await journal.reopen(network, signer, from)
    await load()
  }

  async function load(): Promise<void> {
    const { open: left } = await journal.lane(network, signer)
    for (const { transaction, ended } of left) {
      const slot = keep(transaction, ended)
      slot.included = false
      slot.out = false
      slot.ended = ended
    }
  }

  function lose(): void {
    hold = undefined
    next = undefined
    for (const rider of queue.splice(0)) rider.resolve('lost')
    for (const slot of [...open.values()]) {
      open.delete(slot.id)
      slot.landed.give()
    }
  }

  return {
    network,
    signer,
    isOrdered,
    get held() {
      return !isOrdered || hold !== undefined
    },
    get idle() {
      return queue.length === 0 && !pumping && waiting() === 0
    },
    get blocked() {
      return blocked
    },
    async take(mine) {
      await load()
      if (chain.nextNonce !== undefined) next = await standing(chain.nextNonce(signer))
      mined = await chain.minedNonce?.(signer)
      hold = mine
      if (isWatching()) watchOver()
    },
    lose,
    sign(record, call, late) {
      if (stopped || (isOrdered && hold === undefined)) return Promise.resolve('lost')
      return new Promise((resolve, reject) => {
        const rider: Rider = { record, call, late, alone: record.attempts.length > 0, resolve, reject }
        if (!isOrdered) {
          if (late()) return resolve('late')
          void signFor([rider])
          return
        }
        queue.push(rider)
        // There will be company: what the chain says of it is asked while it waits.
        if ((pumping || queue.length > 1) && !rider.alone && groups?.joins(call)) void isAdmitted(rider)
        void pump()
      })
    },
    send,
    included(transaction) {
      const slot = open.get(slotOf(network, transaction))
      return slot === undefined || slot.included || !isOrdered ? undefined : slot.landed.given
    },
    async soon(transaction) {
      const slot = open.get(slotOf(network, transaction))
      if (!isOrdered || slot === undefined || slot.included) return true
      if (typical > QUICK) return false
      const late = nap(2 * typical + 5).then(() => false)
      return Promise.race([slot.landed.given.then(() => true), late])
    },
    outbids: (transaction) => (open.get(slotOf(network, transaction))?.transactions.length ?? 1) - 1,
    forget(transaction) {
      const slot = open.get(slotOf(network, transaction))
      if (slot !== undefined) drop(slot)
    },
    leave(transaction) {
      const slot = open.get(slotOf(network, transaction))
      if (slot !== undefined) slot.ended = true
    },
    async reopen() {
      if (!isOrdered || hold === undefined) return
      const from = (await chain.minedNonce?.(signer)) ?? (await chain.nextNonce?.(signer))
      if (from !== undefined) await reopen(from)
      mined = from
    },
    async stop() {
      stopped = true
      wake?.give()
      for (const rider of queue.splice(0)) rider.resolve('lost')
      await tending
    },
  }
}

/** Milliseconds: where blocks come faster than this, the block is waited for before anything else is done. */
const QUICK = 25

/** Milliseconds for which a payer that has no code is taken to have none. */
const ADMISSION = 1000

/** Milliseconds for which the answer to a transaction is waited for before the chain is asked. */
const ANSWERS_IN = 100

/** Milliseconds after which it is asked why something has not landed, and how often at the most. */
const LOOK_AFTER = 1000

/** Milliseconds after which whoever carries the payments has had time to find them. */
const FORGET_AFTER = 600_000

/** Blocks that may go by before more is paid (ENG-8). */
const BLOCKS_TO_WAIT = 2n

/** Times that one nonce is outbid. */
const MOST_OUTBIDS = 6
