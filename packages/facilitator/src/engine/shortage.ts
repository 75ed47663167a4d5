import type { ChainDriver } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import type { Timers } from '../timers.js'
import type { Budget } from './budget.js'
import type { LaneStanding } from './standing.js'

/** Tells the lanes of a network while the hour has less left than a usual transaction costs. */
export interface Shortage {
  /** A lane is taken: it knows how things stand as soon as this resolves, and is told from then on. Never rejects. */
  join(lane: Member): Promise<void>
  /** It is told no more; when nobody is, nothing is looked at. */
  leave(lane: Member): void
  /** Something was too dear, this call of one payment perhaps, or there is not much left: a reason to look. */
  notice(call?: unknown): void
  /** While the hour has too little left: what a usual transaction costs, and what is left. */
  readonly shortfall?: Shortfall | undefined
}

/** In the chain's own coin. */
export type Shortfall = { readonly cost: bigint; readonly left: bigint }

type Member = Pick<LaneStanding, 'afford'>

/**
 * Makes who looks whether the hour can pay. It goes by nothing but what is left and what the cheapest of the last payments would cost right now: what is too dear
 * by itself is nobody else's problem. What is reserved for transactions on their way may come back: while that would do, nothing is blocked. It ends
 * when there is enough. Nothing is signed to find that out, and whatever comes, one look follows another after 3 seconds.
 *
 * @example
 * const shortage = createShortage({ chain, budget, journal, recall, timers })
 * await shortage.join(standing)
 */
export function createShortage(options: {
  readonly chain: Pick<ChainDriver, 'network' | 'signers' | 'idle' | 'price'>
  readonly budget: Pick<Budget, 'room'>
  readonly journal: Pick<Journal, 'lately'>
  readonly recall: (records: readonly SettlementRecord[]) => Promise<unknown>
  readonly timers: Pick<Timers, 'background'>
}): Shortage {
  const { chain, budget, journal, recall, timers } = options
  const members = new Set<Member>()
  /** `tight`: it is too little, but for what may come back. */
  let state: 'enough' | 'tight' | 'short' = 'enough'
  let shortfall: Shortfall | undefined
  let usual: readonly unknown[] = []
  let refused: unknown
  let looking: Promise<void> | undefined
  let rest: (() => void) | undefined
  let isNoticed = false

  async function judge(): Promise<typeof state> {
    const room = await budget.room()
    if (room === undefined) return 'enough'
    // Nothing new has been sent since.
    if (state !== 'short') usual = await usualCalls()
    const price = await leastOf(usual)
    if (price === undefined) return state
    shortfall = { cost: price, left: room.left }
    if (room.left >= price) return 'enough'
    return state === 'short' || room.left + room.pending < price ? 'short' : 'tight'
  }

  /** Where none has landed, the one that was too dear; or what moves nothing, for no payment is cheaper than that. */
  async function usualCalls(): Promise<readonly unknown[]> {
    const records = await journal.lately(chain.network, FEW)
    const calls = await Promise.all(records.map((record) => recall([record]).catch(() => undefined)))
    const known = calls.filter((call) => call !== undefined)
    if (known.length > 0) return known
    if (refused !== undefined) return [refused]
    const [signer = ''] = chain.signers
    return chain.idle === undefined ? [] : [chain.idle(signer)]
  }

  /** What the chain itself would not sign right now has no price. */
  async function leastOf(calls: readonly unknown[]): Promise<bigint | undefined> {
    const prices = await Promise.all(calls.map((call) => chain.price?.(call).catch(() => undefined)))
    return prices.reduce((least, each) => (each === undefined || (least ?? each) < each ? least : each), undefined)
  }

  /** A journal or a node that is away says nothing of it. */
  async function look(): Promise<void> {
    isNoticed = false
    const said = await judge().catch(() => state)
    if (members.size === 0) return
    state = said
    for (const lane of members) lane.afford(state !== 'short')
    rest = timers.background(LOOK, () => {
      rest = undefined
      if (state !== 'enough' || isNoticed) void lookOnce()
    })
  }

  function lookOnce(): Promise<void> {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }

  return {
    get shortfall() {
      return state === 'short' ? shortfall : undefined
    },
    async join(lane) {
      members.add(lane)
      if (chain.price === undefined) return
      if (rest === undefined) await lookOnce()
      if (members.has(lane)) lane.afford(state !== 'short')
    },
    leave(lane) {
      members.delete(lane)
      if (members.size > 0) return
      rest?.()
      rest = undefined
      state = 'enough'
    },
    notice(call) {
      refused = call ?? refused
      isNoticed = true
      if (chain.price !== undefined && rest === undefined) void lookOnce()
    },
  }
}

/** Payments that say what is usual: whoever wants dear ones to be so has to pay for as many. */
const FEW = 32

/** Milliseconds between two looks. */
const LOOK = 3000
