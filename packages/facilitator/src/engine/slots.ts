import type { Clock, Network, SendOutcome, SignedTransaction } from '@groat/core'
import { slotOf } from '../journal/record.js'
import { createSignal, type Signal } from './signal.js'

/** What was signed under one nonce and may still land, as the lane sees it. */
export type Slot = {
  readonly id: string
  readonly nonce: bigint
  /** Those that outbid each other, the dearest last. */
  readonly transactions: SignedTransaction[]
  /** A node has the dearest, or a block its nonce. */
  out: boolean
  /** It could not be sent at one time. */
  failed: boolean
  /** It is being sent right now. */
  flight?: Promise<SendOutcome> | undefined
  /** The payments in it are over. */
  ended: boolean
  /** The nonce is in a block. */
  included: boolean
  landed: Signal
  /** When it was signed, and when it was last sent. */
  readonly since: number
  sentAt: number
  /** The chain's height when it was first seen to wait for its block. */
  height?: bigint
}

/** What is signed in a lane and may still land, lowest nonce first. */
export interface Slots extends Iterable<Slot> {
  readonly size: number
  of(transaction: SignedTransaction): Slot | undefined
  /** The slot of a transaction, which is in it from now on. `ended`: its payments are over, only its nonce still matters. */
  keep(transaction: SignedTransaction, ended: boolean): Slot
  /** Its nonce is in a block. */
  include(slot: Slot): void
  /** Its nonce is in no block, or in none any more. */
  exclude(slot: Slot): void
  /** Nothing of it matters any more; whether it did. */
  drop(slot: Slot): boolean
  /** They are somebody else's to look after. */
  leave(): void
  /** How many wait for a block. */
  waiting(): number
  /** Whether transactions have lately come into a block so soon that it is waited for before anything else is done. */
  readonly isQuick: boolean
  /** Milliseconds that they have taken into a block. */
  readonly typical: number
  /** Milliseconds between two blocks, as far as these show it. */
  readonly betweenBlocks: number
}

/** What slots are made of. */
export type SlotsOptions = {
  readonly network: Network
  readonly clock: Clock
  /** There is a new one. */
  readonly onNew: () => void
}

/**
 * Makes the slots of a lane.
 *
 * @example
 * const slots = createSlots({ network, clock, onNew: () => lookAfterThem() })
 */
export function createSlots({ network, clock, onNew }: SlotsOptions): Slots {
  const open = new Map<string, Slot>()
  let typical = QUICK / 8
  /** What those of the last few blocks have taken, the newest last. */
  let taken: readonly number[] = []
  let highest = 0n
  let includedAt = 0
  let between = Number.POSITIVE_INFINITY

  /** Signing goes by nonce, so they stand in its order; what was in a block that is gone comes before them again. */
  function add(slot: Slot): void {
    open.set(slot.id, slot)
    if (slot.nonce >= highest) {
      highest = slot.nonce
      return
    }
    const inOrder = [...open.values()].sort((a, b) => Number(a.nonce - b.nonce))
    open.clear()
    for (const each of inOrder) open.set(each.id, each)
  }

  function include(slot: Slot): void {
    if (!slot.included) learn(slot)
    slot.included = true
    slot.landed.give()
  }

  function learn({ failed, since }: Slot): void {
    const now = clock()
    // Of those in one block the first says when it came; another block has what was signed after that.
    if (since < includedAt) return
    between = now - includedAt
    includedAt = now
    if (failed) return
    taken = [...taken.slice(1 - SAMPLES), Math.max(now - since, 0)]
    // Those that waited for something else than their block, and whoever stood behind them, are outvoted.
    typical = [...taken].sort((a, b) => a - b)[(taken.length - 1) >> 1] ?? typical
  }

  return {
    get size() {
      return open.size
    },
    get isQuick() {
      return typical < QUICK
    },
    get typical() {
      return typical
    },
    get betweenBlocks() {
      // A transaction waits for half of that time, when they leave at any time: blocks without any are not seen.
      return Math.min(between, 2 * typical)
    },
    [Symbol.iterator]: () => open.values(),
    of: (transaction) => open.get(slotOf(network, transaction)),
    keep(transaction, ended) {
      const id = slotOf(network, transaction)
      const known = open.get(id)
      if (known !== undefined) {
        if (!known.transactions.some(({ hash }) => hash === transaction.hash)) known.transactions.push(transaction)
        return known
      }
      const now = clock()
      const slot: Slot = {
        id,
        nonce: transaction.nonce ?? 0n,
        transactions: [transaction],
        ...{ out: false, failed: false, ended, included: false },
        landed: createSignal(),
        since: now,
        sentAt: now,
      }
      add(slot)
      onNew()
      return slot
    },
    include,
    exclude(slot) {
      if (slot.included) slot.landed = createSignal()
      slot.included = false
    },
    drop(slot) {
      include(slot)
      return open.delete(slot.id)
    },
    leave() {
      for (const { id, landed } of [...open.values()]) {
        open.delete(id)
        landed.give()
      }
    },
    waiting() {
      let count = 0
      for (const { included } of open.values()) if (!included) count += 1
      return count
    },
  }
}

/** Blocks that say how long a transaction takes into one. */
const SAMPLES = 5

/** Milliseconds: where blocks come faster than this, the block is waited for before anything else is done. */
const QUICK = 25
