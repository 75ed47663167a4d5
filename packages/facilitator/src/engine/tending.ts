import { X402Error } from '@groat/core'
import { crashpoint } from '../crashpoint.js'
import { NONCES_LOADED } from '../journal/reads.js'
import type { SettlementRecord } from '../journal/record.js'
import { isLive, isOpen } from '../journal/state.js'
import { createGap } from './gap.js'
import type { LaneOptions } from './lane.js'
import { pollDelay } from './plan.js'
import type { Sending } from './sending.js'
import { createSignal, type Signal } from './signal.js'
import type { Sign } from './signing.js'
import type { Slot, Slots } from './slots.js'
import type { LaneStanding } from './standing.js'
import type { Taken } from './taken.js'

/** Looks after what is signed in a lane until all of it is in blocks: what does not land goes out again, and then pays more. */
export interface Tending {
  /** There is something to be looked after. */
  begin(): void
  /** Something new is under way. */
  wake(): void
  /** Takes up what is in no block, be it that it never was or that its block is gone: it goes out, for the first time or again. */
  resume(): Promise<void>
  /** Resolves when nothing is looked after any more. */
  end(): Promise<void>
}

/** What tending works with. */
export type TendingOptions = Pick<
  LaneOptions,
  'chain' | 'signer' | 'journal' | 'clock' | 'timers' | 'recall' | 'rebroadcast' | 'lag' | 'onError'
> & {
  readonly slots: Slots
  readonly standing: LaneStanding
  readonly sending: Sending
  readonly sign: Sign
  readonly taken: Taken
  /** Some have come into blocks. */
  readonly onIncluded: () => void
  /** Nothing of it matters any more. */
  readonly drop: (slot: Slot) => void
  /** Somebody else holds the lane. */
  readonly lose: () => void
}

/**
 * Makes who looks after a lane.
 *
 * @example
 * const tending = createTending({ ...options, slots, standing, sending, sign, taken, onIncluded, drop, lose })
 */
export function createTending(options: TendingOptions): Tending {
  const { chain, signer, journal, clock, timers, recall, rebroadcast, lag, onError } = options
  const { slots, standing, sending, sign, taken, onIncluded, drop, lose } = options
  const { network } = chain
  const isOrdered = chain.nextNonce !== undefined
  const gap = createGap(clock, lag)
  let tending: Promise<void> | undefined
  let wake: Signal | undefined
  let regressions = 0
  let lookedAt = 0

  /** What is open is looked after for as long as this replica may; whoever takes the lane begins anew. */
  function begin(): void {
    if (!isWatching()) return
    tending ??= tend().finally(() => {
      tending = undefined
      begin()
    })
  }

  function isWatching(): boolean {
    return !standing.stopped && slots.size > 0 && standing.hold !== undefined
  }

  /** As soon as a block may be expected, then ever more slowly. */
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
    const now = clock()
    return [...slots].every(({ included, flight, sentAt }) => {
      // What is in a block is about to be settled. When it is not, that block may be gone.
      if (included) return sentAt > now - LOOK_AFTER
      return flight !== undefined && sentAt > now - ANSWERS_IN
    })
  }

  function nap(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void timers.background(milliseconds, resolve))
  }

  function lookDelay(): number {
    if (!isOrdered) return rebroadcast
    const youngest = Math.max(...[...slots].map(({ sentAt }) => sentAt))
    const age = clock() - youngest
    const { typical } = slots
    return slots.isQuick && age < 2 * typical ? Math.max(typical / 2, 1) : pollDelay(age)
  }

  async function look(): Promise<void> {
    const gone = await minedNonce()
    // One node may be behind another; a chain that says so twice has undone blocks.
    regressions = gone !== undefined && standing.mined !== undefined && gone < standing.mined ? regressions + 1 : 0
    if (regressions === 1) return
    if (regressions > 1) await load(gone)
    standing.mined = gone ?? standing.mined
    const passed = [...slots].filter(({ nonce }) => gone !== undefined && nonce < gone)
    // What stood in the way of these is over; the next says whether it stands in its own.
    if (passed.some(({ included }) => !included)) standing.doubt()
    passed.forEach(slots.include)
    const over = passed.filter(({ ended, since }) => ended || clock() - since > FORGET_AFTER)
    if (over.length > 0) await journal.spent(over.flatMap(({ transactions }) => transactions.map(({ hash }) => hash)))
    over.forEach(drop)
    if (passed.length > 0) onIncluded()
    await hurry()
  }

  /** Sends again what has not landed, in order; makes those pay more that blocks went by without. */
  async function hurry(): Promise<void> {
    const late = [...slots].filter(({ included }) => !included)
    const now = clock()
    for (const slot of late) {
      const isRecent = now - slot.sentAt < rebroadcast
      // What comes after one that is not out would wait in the pool for it.
      if (isRecent && isOrdered && slot.failed && !slot.out) break
      if (isRecent) continue
      const said = await sending.transmit(slot)
      if (isOrdered && (said.status === 'unknown' || said.status === 'rejected')) break
    }
    const [oldest] = late
    if (!isOrdered || chain.head === undefined || oldest === undefined) return
    if (now - oldest.since < LOOK_AFTER || now - lookedAt < LOOK_AFTER) return
    lookedAt = now
    const { latest } = await chain.head()
    await fillGaps().catch(tellOnly)
    // Who cannot pay cannot pay more.
    if (standing.blocked === 'signer_out_of_gas') return
    for (const slot of late) {
      slot.height ??= latest
      if (latest - slot.height < BLOCKS_TO_WAIT || slot.included) continue
      slot.height = latest
      await outbid(slot)
    }
  }

  /** What waits behind it is outbid all the same. */
  function tellOnly(error: unknown): void {
    if (!X402Error.is(error)) throw error
    onError(error)
  }

  async function outbid(slot: Slot): Promise<void> {
    if (slot.transactions.length > MOST_OUTBIDS) return
    const riders = await journal.riders(slot.id)
    const isOver = riders.every((rider) => !needs(rider, slot))
    const call = isOver ? chain.idle?.(signer) : await recall(riders)
    if (call === undefined) return
    try {
      const { nonce, transactions: outbids } = slot
      const transaction = await sign(call, { nonce, outbids, records: isOver ? [] : riders })
      crashpoint('FP-12')
      if ((await journal.outbid(network, transaction, standing.hold)) === 'lost') return lose()
      slot.transactions.push(transaction)
      slot.out = false
      await slot.flight
      await sending.transmit(slot)
    } catch (error) {
      if (!X402Error.is(error)) throw error
      // It stays as it is, and nothing new joins the line until it has landed.
      if (error.code === 'fee_above_limit') standing.block(error.code)
      onError(error)
    }
  }

  /** A nonce that nothing of ours will use holds up all that follow it. A node that is late names such a nonce too, but not for long. */
  async function fillGaps(): Promise<void> {
    const { hold, mined } = standing
    if (chain.idle === undefined || chain.nextNonce === undefined || hold === undefined || mined === undefined) return
    let lowest = await chain.nextNonce(signer)
    if (lowest < mined) lowest = mined
    const seen = gap.see(gapFrom(lowest))
    // What is in the journal for it, and was in a block that is gone, goes first.
    if (seen === 'new' || seen === 'due') await load(mined)
    if (seen !== 'due') return
    for (let filled = 0; filled < MOST_FILLED; filled++) {
      const nonce = gapFrom(lowest)
      // Further up the journal may have something for it that was not loaded.
      if (nonce === undefined || nonce >= mined + NONCES_LOADED) return
      const transaction = await sign(chain.idle(signer), { nonce, records: [] })
      if ((await journal.outbid(network, transaction, standing.hold)) === 'lost') return lose()
      const said = await sending.transmit(slots.keep(transaction, true))
      if (said.status !== 'accepted') return
    }
  }

  /** The lowest nonce from this on that nothing has, below one that something has. */
  function gapFrom(lowest: bigint): bigint | undefined {
    let nonce = lowest
    for (const slot of slots) {
      if (slot.nonce > nonce) return nonce
      if (slot.nonce === nonce) nonce += 1n
    }
    return undefined
  }

  async function resume(): Promise<void> {
    const mined = await minedNonce()
    await load(mined)
    standing.mined = mined
  }

  /** The first nonce that is in no block, as far as the node that is asked has come. */
  async function minedNonce(): Promise<bigint | undefined> {
    if (chain.minedNonce === undefined) return chain.nextNonce?.(signer)
    const mined = await chain.minedNonce(signer)
    taken.saw(mined)
    gap.pass(mined)
    return mined
  }

  async function load(mined: bigint | undefined): Promise<void> {
    const { open } = await journal.lane(network, signer, mined)
    for (const { transaction, ended } of open) {
      const slot = slots.keep(transaction, ended)
      slots.exclude(slot)
      Object.assign(slot, { out: false, ended })
    }
  }

  return {
    begin,
    wake: () => wake?.give(),
    resume,
    end: async () => tending,
  }
}

/**
 * Whether a payment needs what is in a slot: it is open and has not given that up, for then another is signed for it, or its evidence is of a transaction there,
 * which has to land again when it waits again.
 *
 * @example
 * const isOver = riders.every((rider) => !needs(rider, slot))
 */
export function needs(
  { state, evidence, attempts }: SettlementRecord,
  { id, transactions }: Pick<Slot, 'id' | 'transactions'>,
): boolean {
  const waits = isOpen(state) && attempts.some((attempt) => attempt.slot === id && isLive(attempt))
  return waits || transactions.some(({ hash }) => hash === evidence?.transaction)
}

/** Nonces that are filled with nothing in one look, at the most. */
const MOST_FILLED = 16

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
