import { type ErrorCode, type FacilitatorRequest, type Network, type Pid, refuse, X402Error } from '@groat/core'
import type { ReportFault } from '../fault.js'
import type { Means } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import { isLive, isOpen } from '../journal/state.js'
import type { Timers } from '../timers.js'
import { createEffects, type EffectsOptions, type Facts, reload } from './effects.js'
import { createFollower, type Follower } from './follower.js'
import { createMoves } from './moves.js'
import { plan, pollDelay } from './plan.js'
import { isCutOff } from './reach.js'
import type { Route } from './route.js'
import { createSignal } from './signal.js'

/** A payment that is being carried to its end in this process. There is one for each open payment. */
export interface Run {
  /** As it stands now. */
  readonly record: SettlementRecord
  /** Resolves when it stands still: at its end, or because the settler was stopped. Never rejects. */
  readonly end: Promise<void>
  /** Resolves when the chain has been asked once, or could not be. */
  readonly looked: Promise<void>
  /** Resolves when nothing more can be learnt soon: a dead node, an empty gas purse. Each call waits for the next such moment. */
  stalled(): Promise<void>
  /** Resolves when the record is `claimed` no more. */
  readonly decided: Promise<void>
  /** Takes the claim back where nothing is signed, for one of these reasons stands in its way: which one, also when it was taken back before. Never throws. */
  withdraw(reasons: ReadonlySet<ErrorCode>): Promise<ErrorCode | undefined>
}

/** Carries payments to their end. */
export interface Settler {
  run(pid: Pid): Run | undefined
  /** The run of an open record: the one there is, or a new one. `means`: what its first check goes by, where that is known. */
  carry(record: SettlementRecord, request: FacilitatorRequest, route: Route, means?: Means): Run
  /** Stops carrying. What is in the journal stays there for the next start. */
  stop(): Promise<void>
}

/** What a settler works with. */
export type SettlerOptions = Omit<EffectsOptions, 'means' | 'moves'> & {
  /** Milliseconds after which every node of a network shows what is in a block. */
  readonly lag: (network: Network) => number
  /** Whether the nodes of a network answer another replica. */
  readonly isReached: (network: Network) => boolean
  readonly timers: Timers
  readonly report: ReportFault
}

/** Makes a settler. */
export function createSettler(options: SettlerOptions): Settler {
  const runs = new Map<Pid, StoppableRun>()
  let stopped = false
  const moves = createMoves(options.clock, options.lag)
  const follower = createFollower(options.journal, options.timers, (error) =>
    options.report(error, { during: 'settle' }),
  )

  return {
    run: (pid) => runs.get(pid),
    carry(record, request, route, means) {
      const known = runs.get(record.pid)
      if (known !== undefined) {
        known.renew(record)
        return known
      }
      const tools = { follower, means, moves, ...options }
      const run = startRun(record, request, route, tools, () => runs.delete(record.pid))
      runs.set(record.pid, run)
      if (stopped) run.stop()
      return run
    },
    async stop() {
      stopped = true
      for (const run of runs.values()) run.stop()
      await Promise.all([...runs.values()].map(({ end }) => end))
      follower.stop()
    },
  }
}

type StoppableRun = Run & {
  /** This is how the payment stands in the journal: if the run goes by something older, it reads anew. */
  renew(seen: SettlementRecord): void
  /** Leaves the payment where it is. */
  stop(): void
}

type Tools = SettlerOptions & EffectsOptions & { readonly follower: Follower }

function startRun(
  first: SettlementRecord,
  request: FacilitatorRequest,
  route: Route,
  options: Tools,
  onEnd: () => void,
): StoppableRun {
  const { journal, clock, timers, report, follower } = options
  const { pid } = first
  const effects = createEffects(first.payer, request, route, options)
  const decided = createSignal()
  const looked = createSignal()
  let stalled = createSignal()
  let record = first
  /** Since it last got anywhere, be it to where it waits for the chain. */
  let faults = 0
  let told: { readonly what: string; readonly reference: string; readonly code?: ErrorCode } | undefined
  let since = clock()
  let checkedAt = since
  let stopped = false
  let isOutdated = false
  let withdrawn: ErrorCode | undefined
  const stop = createSignal()
  /** Ends the wait that is under way. */
  let goOn = () => {}
  /** What was asked to say when its transaction is in a block. */
  let landing: Promise<void> | undefined

  async function go(): Promise<void> {
    let known: Facts | undefined = { record }
    while (!stopped) {
      try {
        if (isOutdated) known = undefined
        isOutdated = false
        known ??= { record: await reload(journal, pid) }
        note(known.record)
        if (isOpen(record.state) && record.owner !== journal.replica) {
          looked.give()
          const changed = await Promise.race([follower.changed(record), stop.given])
          if (changed === undefined) return
          known = { record: changed }
          continue
        }
        const step = plan({ now: clock(), ...known })
        if (step.do === 'done') return
        if (step.do === 'wait') {
          looked.give()
          calm()
          if (known.said?.status === 'rejected' || known.verdict !== undefined) stall()
          await pause()
          // Who had no money may have it by now.
          const stands: boolean = known.verdict !== undefined && clock() - checkedAt < CHECK_AGAIN
          known = { record, ...(stands && { verdict: known.verdict }) }
          continue
        }
        if (step.do === 'check') checkedAt = clock()
        known = await effects(step, known)
      } catch (error) {
        if (stopped) return
        faults += 1
        looked.give()
        known = await giveUpUnsigned(error, tell(error))
        if (faults > 1) stall()
        if (faults > 1) known ??= await handOver()
        if (known === undefined) await wait(faultDelay(faults))
      }
    }
  }

  function calm(): void {
    faults = 0
    told = undefined
  }

  /** What stands in the way is told when it comes, not each time that it is met. */
  function tell(error: unknown): string {
    const code = X402Error.is(error) ? error.code : undefined
    const what = code ?? String(error)
    if (told?.what !== what) told = { what, reference: report(error, { during: 'settle', pid }), ...(code && { code }) }
    return told.reference
  }

  /** Until it is worth asking again: its transaction is in a block, or time has passed. */
  async function pause(): Promise<void> {
    const live = record.attempts.findLast(isLive)
    const landed = live && route.laneBy(live.transaction.signer).included(live.transaction)
    const delay = pollDelay(clock() - since)
    if (landed === undefined) return wait(delay)
    if (landed !== landing) {
      landing = landed
      void landed.then(() => {
        since = clock()
        goOn()
      })
    }
    await wait(Math.max(delay, BLIND))
  }

  /**
   * Until so many milliseconds have passed, or earlier, when there is reason to look or the run is stopped. There is one wait at a time, and it leaves nothing behind:
   * a payment may wait for days.
   */
  function wait(milliseconds: number): Promise<void> {
    if (stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = timers.after(milliseconds, () => goOn())
      goOn = () => {
        cancel()
        resolve()
      }
    })
  }

  /** A fault of our own, before anything was signed, ends the presentation: trying the same again would end the same. */
  async function giveUpUnsigned(error: unknown, reference: string): Promise<Facts | undefined> {
    if (X402Error.is(error) || record.state !== 'claimed') return undefined
    const refusal = refuse('unexpected_settle_error', `reference ${reference}`)
    const written = await journal.refused(record, refusal).catch(() => 'moved' as const)
    return written === 'moved' ? undefined : { record: written }
  }

  /** Who cannot ask the chain any more leaves it to who can. */
  async function handOver(): Promise<Facts | undefined> {
    const isNeeded = !options.isReached(record.network) || !isCutOff(route.chain)
    if (isNeeded || route.laneOf(record.payer, request) !== undefined) return undefined
    const written = await journal.give(record).catch(() => 'moved' as const)
    return written === 'moved' ? undefined : { record: written }
  }

  function note(current: SettlementRecord): void {
    if (current.state !== record.state) calm()
    if (current.attempts.length > record.attempts.length) since = clock()
    record = current
    const isOurs = isOpen(record.state) && record.owner === journal.replica
    for (const attempt of record.attempts) {
      route.laneBy(attempt.transaction.signer).mind(attempt.transaction, isOurs && isLive(attempt))
    }
    if (current.state !== 'claimed') decided.give()
  }

  function stall(): void {
    stalled.give()
    stalled = createSignal()
  }

  const end = go().finally(() => {
    onEnd()
    for (const signal of [decided, looked, stalled]) signal.give()
  })
  return {
    get record() {
      return record
    },
    end,
    decided: decided.given,
    looked: looked.given,
    stalled: () => stalled.given,
    async withdraw(reasons) {
      const code = told?.code
      if (withdrawn !== undefined || record.state !== 'claimed' || code === undefined || !reasons.has(code))
        return withdrawn
      const written = await effects({ do: 'refuse', refusal: refuse(code) }, { record }).catch(() => undefined)
      if (written === undefined) return undefined
      withdrawn = code
      isOutdated = true
      goOn()
      return code
    },
    renew({ state, owner, attempts }) {
      if (state === record.state && owner === record.owner && attempts.length === record.attempts.length) return
      isOutdated = true
      goOn()
    },
    stop() {
      stopped = true
      stop.give()
      goOn()
    },
  }
}

/** Milliseconds for which a check that refused a payment stands, where something was signed for it before. */
const CHECK_AGAIN = 5000

/** Milliseconds after which the chain is asked, though the lane has not seen the transaction in a block: somebody else may have landed it. */
const BLIND = 1000

/** Milliseconds before trying again after so many faults in a row. */
function faultDelay(faults: number): number {
  return Math.min(50 * 2 ** (faults - 1), 5000)
}
