import {
  type ChainDriver,
  type Clock,
  type ErrorCode,
  type Network,
  type SendOutcome,
  type SignedTransaction,
  X402Error,
} from '@groat/core'
import { crashpoint } from '../crashpoint.js'
import type { Checked, Hold, Journal, Written } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import type { Timers } from '../timers.js'
import { createBoarding, type Rider } from './boarding.js'
import type { Budget } from './budget.js'
import { createPace } from './pace.js'
import { isCutOff } from './reach.js'
import { createSending } from './sending.js'
import type { Shortage } from './shortage.js'
import { createSigning, isShortOfHour } from './signing.js'
import { createSlots, type Slot } from './slots.js'
import { createStanding } from './standing.js'
import { createTaken } from './taken.js'
import { createTending } from './tending.js'

/**
 * One signer on one chain. Nonces are given out here, one after the other, from the journal; bytes leave only after they are in it, and
 * the lowest nonce that is not out goes first, so that no gap stays open. Payments that wait for it together leave in one transaction,
 * where the chain can do that. What does not land goes out again, and then pays more.
 */
export interface Lane {
  readonly network: Network
  readonly signer: string
  /** Whether one replica signs here at a time. On chains without nonces everybody may who can ask them. */
  readonly isOrdered: boolean
  /** Whether this replica may sign here. */
  readonly held: boolean
  /** Whether nothing is under way. */
  readonly idle: boolean
  /** Whether it is about to be let go: what can goes by another lane. */
  readonly draining: boolean
  /** Why nothing new can be sent: what the node said to the transaction at the head, that the signer has nothing at all for fees, or that the hour is used up. */
  readonly blocked: ErrorCode | undefined
  /** Whether its chain cannot be asked from here right now. */
  readonly cutOff: boolean
  /** Whether something may wait in the journal to be sent that is not known here: a write was not answered, and whoever carries its payments may be another replica by now. */
  readonly unsure: boolean
  /** Takes up where the journal and the chain stand. Throws when either cannot be read. */
  take(hold: Hold): Promise<void>
  /** Whether it is to be let go as soon as nothing is under way. */
  drain(isWanted: boolean): void
  /** Somebody else signs here from now on. */
  lose(): void
  /** Asks, while the signer is out of gas money, whether it has some, and while the chain cannot be asked, whether it can. Never throws. */
  weigh(): Promise<void>
  /**
   * A payment is being checked, to be signed for here: whoever would leave meanwhile waits for it a moment, and no longer than a transaction takes into its block.
   * What it answers is called when the payment has come, or will not.
   */
  expect(): () => void
  /**
   * Signs and writes the bytes down. `late` says that signing is no longer wanted, `lost` that this replica cannot, or cannot now; then, and when it throws,
   * no nonce is used up; `moved`, that it has to be read and checked again. Throws `X402Error` of the chain, of the journal, and the code under which the lane is blocked.
   */
  sign(payment: Checked, call: unknown, late: () => boolean): Promise<Written | 'late' | 'lost'>
  /** Sends bytes that are in the journal, unless another replica holds the lane: that sends them. Never throws: what is not certain is `unknown`. */
  send(transaction: SignedTransaction): Promise<SendOutcome>
  /** Whether its nonce is in a block, and has been for so long that every node must show by now what took it. Never throws; false where that cannot be known. */
  isGone(transaction: SignedTransaction): Promise<boolean>
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
  /**
   * Whether a payment in it is carried here, where everybody may sign: then it goes out again from here until it has landed, whoever sent it before. Where one replica signs
   * at a time, whoever holds the lane has it from the journal.
   */
  mind(transaction: SignedTransaction, isCarried: boolean): void
  /** A payment in it is over, but its nonce is not: it is sent until the nonce is gone. */
  leave(transaction: SignedTransaction): void
  /** Takes up anew what is in the journal and in no block: it goes out, for the first time or again. Throws when either cannot be read. */
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
  readonly shortage: Shortage
  /** What has to be sent for payments, from what the journal knows of them. */
  readonly recall: (records: readonly SettlementRecord[]) => Promise<unknown>
  /** What the transaction of one payment may cost at the most, in the chain's own coin. */
  readonly maxCost: (record: SettlementRecord) => bigint | undefined
  /** Transactions that wait for a block at the same time; what comes on top waits and leaves together. */
  readonly depth: number
  /** Milliseconds after which what has not landed is sent again. */
  readonly rebroadcast: number
  /** Milliseconds after which every node shows what has taken a number, or that it is free. */
  readonly lag: number
  /** Nothing new can be sent, for this reason; once for each time. `undefined`: it can again. */
  readonly onBlocked: (code: ErrorCode | undefined) => void
  readonly onError: (error: unknown) => void
}

/** Makes a lane. It does nothing before it is taken. */
export function createLane(options: LaneOptions): Lane {
  const { chain, signer, journal, clock, timers, shortage, depth, onError } = options
  const { network, groups } = chain
  /** Without nonces nothing waits for anything, and nobody is in anybody's way. */
  const isOrdered = chain.nextNonce !== undefined
  // Nothing is signed for those in line: they are checked again, and go elsewhere where they can.
  const standing = createStanding({ onBlock: () => boarding.lose(), onTold: options.onBlocked })
  const slots = createSlots({
    network,
    clock,
    onNew() {
      tending.begin()
      tending.wake()
    },
  })
  const boarding = createBoarding(groups, clock, timers)
  const pace = createPace({ slots, clock, timers, depth })
  const sign = createSigning(options)
  const sending = createSending({
    ...{ chain, clock, slots, standing, onError },
    // Those who wait for that very block anyway lose nothing by an answer that comes with it.
    isWaitedFor: () => boarding.size > 0 && !leavesTogether(),
    onAccepted(included) {
      if (included) void pump()
      tending.wake()
    },
  })
  const taken = createTaken(options)
  const parts = { slots, standing, sending, sign, taken }
  const tending = createTending({ ...options, ...parts, onIncluded: () => void pump(), drop, lose })
  let pumping = false
  let unsure = false
  let draining = false
  let knocking: Promise<unknown> | undefined

  async function pump(): Promise<void> {
    if (pumping) return
    pumping = true
    try {
      while (boarding.size > 0 && slots.waiting() < room()) {
        // Those whose checks are about to end come along.
        await timers.turn()
        await boarding.gather(Math.min(slots.typical, GATHERING))
        if (boarding.isSociable && !slots.isQuick) await pace.next()
        const group = await boarding.next()
        if (group.length === 0) continue
        pace.left(group.length)
        await signFor(group)
      }
      if (boarding.size > 0) pace.full()
    } finally {
      pumping = false
    }
  }

  /** Where blocks come at once, those that can travel together wait for one another rather than for the same block in several transactions. */
  function room(): number {
    if (leavesTogether()) return 1
    return Math.min(depth, chain.mostPending?.(signer) ?? depth)
  }

  function leavesTogether(): boolean {
    return slots.isQuick && boarding.isSociable
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
        const { moved, undone } = written
        boarding.sendBack(undone)
        for (const rider of group) if (moved.includes(rider.record.pid)) rider.resolve('moved')
        group = group.filter(({ record }) => !moved.includes(record.pid))
      }
    } catch (error) {
      if (group.length > 1 && isShortOfHour(error)) return signForHalf(group)
      if (X402Error.is(error) || group.length === 1) for (const rider of group) rider.reject(error)
      else boarding.part(group)
    }
  }

  /** What the hour cannot pay for all of them it may for some. */
  async function signForHalf(group: readonly Rider[]): Promise<void> {
    const half = Math.ceil(group.length / 2)
    boarding.stay(group.slice(half))
    await signFor(group.slice(0, half))
  }

  async function signOnce(group: readonly Rider[]) {
    const [first] = group
    const { blocked, hold, next } = standing
    if (blocked !== undefined) throw new X402Error(blocked, { network, signer })
    if (hold === undefined) return 'lost'
    const nonce = chain.nextNonce === undefined ? undefined : (next ?? (await nextOf(chain.nextNonce(signer))))
    crashpoint('FP-04')
    const calls = group.map(({ call }) => call)
    const call = groups === undefined || group.length === 1 ? first?.call : groups.join(calls)
    const records = group.map(({ record }) => record)
    const transaction = await sign(call, { nonce, records })
    crashpoint('FP-05')
    // Should writing fail, it may have been written all the same: the journal will say where we stand.
    standing.next = undefined
    const written = await journal.signed(group, transaction, standing.hold).catch((error) => {
      unsure = isOrdered
      throw error
    })
    if (typeof written === 'string' || 'moved' in written) return written
    crashpoint('FP-06')
    if (nonce !== undefined) standing.next = nonce + 1n
    slots.keep(transaction, false)
    return written
  }

  /**
   * The journal knows what we signed, the chain knows what others signed with the same key. Of that little waits for a block: a node that names a nonce far
   * above is wrong, and nothing would ever land there.
   */
  async function nextOf(asked: Promise<bigint>): Promise<bigint> {
    const [{ next: written = 0n }, pooled] = await Promise.all([journal.lane(network, signer), asked])
    if (pooled <= written) return written
    let known = written
    const mined = (await chain.minedNonce?.(signer)) ?? pooled
    if (mined > known) known = mined
    if (pooled <= known + FOREIGN) return pooled
    const reason = `the next nonce is said to be ${pooled}, and ${known} is the most that can be`
    onError(new X402Error('rpc_invalid_answer', { network, signer, reason }))
    return known
  }

  /** A node that does not answer says nothing of it. */
  async function weigh(): Promise<void> {
    const coin = await chain.gasBalance?.(signer).catch(() => undefined)
    if (coin !== undefined) standing.weigh(coin)
  }

  /** Whatever it answers, its nodes are known to answer. */
  function knock(): Promise<unknown> {
    const ask = async () => (isOrdered ? chain.nextNonce?.(signer) : chain.gasBalance?.(signer))
    knocking ??= ask()
      .catch(() => undefined)
      .finally(() => {
        knocking = undefined
      })
    return knocking
  }

  /** What waits for its block in a lane that is held here: nobody looks after what is left of others. */
  function tended(transaction: SignedTransaction): Slot | undefined {
    return standing.hold === undefined ? undefined : slots.of(transaction)
  }

  function drop(slot: Slot): void {
    // What stood in the way may have been this one; the next send says whether something still does.
    if (slots.drop(slot)) standing.doubt()
    void pump()
  }

  function lose(): void {
    draining = false
    standing.lose()
    shortage.leave(standing)
    boarding.lose()
    slots.leave()
  }

  return {
    network,
    signer,
    isOrdered,
    get held() {
      return standing.hold !== undefined
    },
    get idle() {
      return boarding.size === 0 && !pumping && slots.waiting() === 0
    },
    get draining() {
      return draining
    },
    get blocked() {
      return standing.blocked
    },
    get cutOff() {
      return isCutOff(chain)
    },
    get unsure() {
      return unsure
    },
    async take(mine) {
      unsure = false
      if (isOrdered) await tending.resume()
      if (chain.nextNonce !== undefined) standing.next = await nextOf(chain.nextNonce(signer))
      // Without nonces nothing that is signed stands in the way of anything.
      await Promise.all([isOrdered && weigh(), shortage.join(standing)])
      standing.hold = mine
      tending.begin()
    },
    drain(isWanted) {
      draining = isWanted && standing.hold !== undefined
    },
    lose,
    async weigh() {
      if (standing.blocked === 'signer_out_of_gas') await weigh()
      else if (isCutOff(chain)) await knock()
    },
    expect: () => boarding.expect(),
    sign(payment, call, late) {
      if (standing.stopped || standing.hold === undefined) return Promise.resolve('lost')
      const { blocked } = standing
      if (blocked !== undefined) return Promise.reject(new X402Error(blocked, { network, signer }))
      return new Promise((resolve, reject) => {
        const rider: Rider = { call, late, alone: payment.record.attempts.length > 0, resolve, reject, ...payment }
        if (!isOrdered) {
          if (late()) return resolve('late')
          void signFor([rider])
          return
        }
        boarding.wait(rider, pumping)
        void pump()
      })
    },
    async send(transaction) {
      if (standing.hold === undefined) return ELSEWHERE
      return sending.send(slots.of(transaction) ?? slots.keep(transaction, false))
    },
    async isGone(transaction) {
      const slot = tended(transaction)
      // What waits here for its block is looked after: that says when there is reason to ask.
      return slot !== undefined && !slot.included ? false : taken.isGone(transaction)
    },
    included(transaction) {
      const slot = tended(transaction)
      return slot === undefined || slot.included || !isOrdered ? undefined : slot.landed.given
    },
    async soon(transaction) {
      const slot = tended(transaction)
      if (!isOrdered || slot === undefined || slot.included) return true
      if (!slots.isQuick) return false
      const late = new Promise<boolean>((resolve) => {
        timers.background(2 * slots.typical + 5, () => resolve(false))
      })
      return Promise.race([slot.landed.given.then(() => true), late])
    },
    outbids: (transaction) => (slots.of(transaction)?.transactions.length ?? 1) - 1,
    forget(transaction) {
      const slot = slots.of(transaction)
      if (slot !== undefined) drop(slot)
    },
    mind(transaction, isCarried) {
      if (isOrdered) return
      const slot = isCarried ? slots.keep(transaction, false) : slots.of(transaction)
      if (slot !== undefined && !isCarried) drop(slot)
    },
    leave(transaction) {
      const slot = slots.of(transaction)
      if (slot !== undefined) slot.ended = true
    },
    async reopen() {
      if (!isOrdered || standing.hold === undefined) return
      unsure = false
      await tending.resume()
    },
    async stop() {
      standing.stopped = true
      shortage.leave(standing)
      tending.wake()
      boarding.lose()
      await tending.end()
    },
  }
}

/** Transactions that others have under way with the same key, at the most. */
const FOREIGN = 16n

/** Whoever holds a lane sends what is signed in it. */
const ELSEWHERE: SendOutcome = { status: 'unknown', reason: 'another replica sends it' }

/** Milliseconds for which the first in line waits for those that are being checked, at the most. */
const GATHERING = 10
