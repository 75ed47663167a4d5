import {
  type ChainOutcome,
  type Clock,
  type FacilitatorRequest,
  notify,
  type OnEvent,
  type Pid,
  refuse,
  type SignedTransaction,
  X402Error,
  type X402Event,
} from '@groat/core'
import { crashpoint } from '../crashpoint.js'
import type { ReportFault } from '../fault.js'
import type { Journal, Written } from '../journal/journal.js'
import type { Evidence, SettlementRecord } from '../journal/record.js'
import { isLive, isOpen } from '../journal/state.js'
import type { Timers } from '../timers.js'
import { type FinalityLevel, isDeepEnough } from './finality.js'
import { createFollower, type Follower } from './follower.js'
import { type Known, plan, pollDelay, type Step } from './plan.js'
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
}

/** Carries payments to their end. */
export interface Settler {
  run(pid: Pid): Run | undefined
  /** The run of an open record: the one there is, or a new one. `reserved`: what the payer has under way before it, where that is known. */
  carry(record: SettlementRecord, request: FacilitatorRequest, route: Route, reserved?: bigint): Run
  /** Stops carrying. What is in the journal stays there for the next start. */
  stop(): Promise<void>
}

/** What a settler works with. */
export type SettlerOptions = {
  readonly journal: Journal
  readonly clock: Clock
  readonly timers: Timers
  readonly minRemainingSeconds: number
  /** How deep the block of a payment has to be before it is called settled. */
  readonly finality: (record: SettlementRecord) => FinalityLevel
  readonly onEvent: OnEvent | undefined
  readonly report: ReportFault
}

/** Makes a settler. */
export function createSettler(options: SettlerOptions): Settler {
  const runs = new Map<Pid, StoppableRun>()
  let stopped = false
  const follower = createFollower(options.journal, options.timers, (error) =>
    options.report(error, { during: 'settle' }),
  )

  return {
    run: (pid) => runs.get(pid),
    carry(record, request, route, reserved) {
      const known = runs.get(record.pid)
      if (known !== undefined) return known
      const tools = { ...options, follower, reserved }
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
  /** Leaves the payment where it is. */
  stop(): void
}

type Tools = SettlerOptions & { readonly follower: Follower; readonly reserved: bigint | undefined }

/** What is known between two steps. */
type Facts = Omit<Known, 'record' | 'now'> & { readonly record: SettlementRecord }

function startRun(
  first: SettlementRecord,
  request: FacilitatorRequest,
  route: Route,
  options: Tools,
  onEnd: () => void,
): StoppableRun {
  const { journal, clock, timers, report, follower } = options
  const { pid } = first
  const steps = createSteps(first.payer, request, route, options)
  const decided = createSignal()
  const looked = createSignal()
  let stalled = createSignal()
  let record = first
  let faults = 0
  let since = clock()
  let stopped = false
  const stop = createSignal()

  async function go(): Promise<void> {
    let known: Facts | undefined = { record }
    while (!stopped) {
      try {
        known ??= { record: await reload(journal, pid) }
        note(known.record)
        if (isOpen(record.state) && record.owner !== journal.replica) {
          looked.give()
          const changed = await Promise.race([follower.changed(record), stop.given])
          if (changed === undefined) return
          known = { record: changed }
          continue
        }
        const step = plan({ ...known, now: clock() })
        if (step.do === 'done') return
        if (step.do === 'wait') {
          looked.give()
          if (known.said?.status === 'rejected' || known.verdict !== undefined) stall()
          await pause()
          known = { record, ...(known.verdict === undefined ? {} : { verdict: known.verdict }) }
          continue
        }
        known = await steps(step, known)
        faults = 0
      } catch (error) {
        if (stopped) return
        faults += 1
        looked.give()
        const reference = report(error, { during: 'settle', pid })
        known = await giveUpUnsigned(error, reference)
        if (faults > 1) stall()
        if (known === undefined) await wait(faultDelay(faults))
      }
    }
  }

  /** Until it is worth asking again: its transaction is in a block, or time has passed. */
  async function pause(): Promise<void> {
    const live = record.attempts.findLast(isLive)
    const landed = live && route.laneBy(live.transaction.signer).included(live.transaction)
    const delay = pollDelay(clock() - since)
    if (landed === undefined) return wait(delay)
    const came = landed.then(() => {
      since = clock()
    })
    await wait(Math.max(delay, BLIND), came)
  }

  /** Until so many milliseconds have passed, or earlier, when there is reason to look or the run is stopped. */
  async function wait(milliseconds: number, reason?: Promise<void>): Promise<void> {
    let cancel = () => {}
    const late = new Promise<void>((resolve) => {
      cancel = timers.after(milliseconds, resolve)
    })
    await Promise.race(reason === undefined ? [late, stop.given] : [late, stop.given, reason])
    cancel()
  }

  /** A fault of our own, before anything was signed, ends the presentation: trying the same again would end the same. */
  async function giveUpUnsigned(error: unknown, reference: string): Promise<Facts | undefined> {
    if (X402Error.is(error) || record.state !== 'claimed') return undefined
    const refusal = refuse('unexpected_settle_error', `reference ${reference}`)
    const written = await journal.refused(record, refusal).catch(() => 'moved' as const)
    return written === 'moved' ? undefined : { record: written }
  }

  function note(current: SettlementRecord): void {
    if (current.attempts.length > record.attempts.length) since = clock()
    record = current
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
    stop() {
      stopped = true
      stop.give()
    },
  }
}

/** The effects behind the steps: each does one thing and says what is known after it; nothing, when the journal has to be read again. */
function createSteps(payer: string, request: FacilitatorRequest, route: Route, options: Tools) {
  const { payment, requirements } = request
  const { journal, clock, minRemainingSeconds, onEvent } = options
  const { half, chain } = route
  const begun = clock()
  /** What earlier payments of this payer will take, as the claim saw it; asked again when it stands in the way. */
  let claimed = options.reserved

  async function check({ record }: Facts): Promise<Facts | undefined> {
    const lane = route.laneOf(payer, request)
    // Who cannot sign lets somebody else.
    if (lane === undefined)
      return record.state === 'claimed' ? after(await journal.give(record)) : { record, chain: PENDING }
    const reserved = claimed ?? (await journal.reserved(record))
    // None can come before it any more; those that do may end.
    claimed = reserved === 0n ? 0n : undefined
    const at = { now: clock(), minRemainingSeconds, settling: true, signer: lane.signer }
    const verdict = await half.verify(payment, requirements, reserved === 0n ? at : { ...at, reserved })
    if (!verdict.ok) {
      const waits =
        reserved > 0n && clock() - begun < CROWD_PATIENCE && (await half.verify(payment, requirements, at)).ok
      return waits ? { record, chain: PENDING, crowded: true } : { record, verdict }
    }
    const enabled = await half.enable?.(payment, requirements, at)
    if (enabled?.ok === false) return { record, verdict: enabled }
    const call = await half.prepare(payment, requirements)
    if (call === undefined) return end(await journal.waived(record), { type: 'payment_settled' })
    const latest = (record.expiresAt - minRemainingSeconds) * 1000
    const written = await lane.sign(record, call, () => clock() > latest)
    // Waited too long for its turn, or for a lane that is somebody else's by now: the next check will say so.
    return written === 'late' || written === 'lost' ? { record } : after(written)
  }

  async function look(record: SettlementRecord): Promise<Pick<Facts, 'chain' | 'isDeep'>> {
    // What is known to have failed has nothing more to say, and would drown what the chain says of the payment itself.
    const sent = record.attempts.flatMap(({ transaction, status }) => (status === 'failed' ? [] : [transaction]))
    const outcome = await half.outcome(payment, requirements, sent)
    crashpoint('FP-09')
    if (outcome.status !== 'settled') return { chain: outcome }
    return { chain: outcome, isDeep: await isDeepEnough(chain, outcome.blockNumber, options.finality(record)) }
  }

  async function send(known: Facts, transaction: SignedTransaction): Promise<Facts | undefined> {
    const { record } = known
    const lane = route.laneBy(transaction.signer)
    const said = await lane.send(transaction)
    if (said.status !== 'accepted') return { ...known, said }
    crashpoint('FP-07')
    tell(record, { type: 'transaction_sent', transaction: transaction.hash })
    const seen = (await lane.soon(transaction)) ? await look(record) : { chain: PENDING }
    // Evidence says more than a node's word: there is no need to write that down before it.
    if (seen.chain?.status === 'settled') return { ...known, said, ...seen }
    const written = await journal.sent(record, transaction)
    crashpoint('FP-08')
    return written === 'moved' ? undefined : { ...known, record: written, said, ...seen }
  }

  /** A transaction that was outbid is known to the lane first. */
  function isOutbid({ attempts }: SettlementRecord): boolean {
    const live = attempts.filter(isLive)
    const [first] = live
    return first !== undefined && route.laneBy(first.transaction.signer).outbids(first.transaction) > live.length - 1
  }

  /** What we found is not known to be ours: it may be, if it was outbid while the chain was asked. Then the record is read again. */
  async function isStrange({ pid, attempts }: SettlementRecord, { transaction }: Evidence): Promise<boolean> {
    if (attempts.some(({ transaction: { hash } }) => hash === transaction)) return false
    const current = await reload(journal, pid)
    return current.attempts.some(({ transaction: { hash } }) => hash === transaction)
  }

  /** What we found is another payment's. Unsigned, ours ends there; signed, there may be more to find. */
  async function credited(record: SettlementRecord, transaction: string): Promise<Facts | undefined> {
    if (record.state !== 'claimed') {
      throw new X402Error('rpc_invalid_answer', { transaction, reason: 'its log credits another payment' })
    }
    const refusal = refuse('payment_already_used')
    return end(await journal.refused(record, refusal), { type: 'payment_refused', code: refusal.code })
  }

  function end(written: Written, event: Told): Facts | undefined {
    if (written === 'moved') return undefined
    release(written)
    tell(written, event)
    return after(written)
  }

  function release(written: SettlementRecord): void {
    for (const attempt of written.attempts) {
      const lane = route.laneBy(attempt.transaction.signer)
      if (isLive(attempt)) lane.leave(attempt.transaction)
      else lane.forget(attempt.transaction)
    }
  }

  function after(written: Written): Facts | undefined {
    return written === 'moved' ? undefined : { record: written }
  }

  function tell(record: SettlementRecord, event: Told): void {
    const { pid, network, scheme, payer, payTo, asset, amount } = record
    notify(onEvent, { at: clock(), pid, network, scheme, payer, payTo, asset, amount, ...event })
  }

  return async (step: Exclude<Step, { do: 'done' | 'wait' }>, known: Facts): Promise<Facts | undefined> => {
    const { record } = known
    switch (step.do) {
      case 'check':
        return check(known)
      case 'look':
        return isOutbid(record) ? lookAgain(await reload(journal, record.pid)) : { ...known, ...(await look(record)) }
      case 'send':
        return send(known, step.attempt.transaction)
      case 'close': {
        const written = await journal.closed(record, step.attempt, step.as)
        if (written !== 'moved') route.laneBy(step.attempt.transaction.signer).forget(step.attempt.transaction)
        return after(written)
      }
      case 'mine': {
        if (await isStrange(record, step.evidence)) return undefined
        const written = await journal.settled(record, step.evidence, 'mined')
        if (written === 'credited') return credited(record, step.evidence.transaction)
        if (written !== 'moved') release(written)
        return written === 'moved' ? undefined : { ...known, record: written }
      }
      case 'undo': {
        const written = await journal.reorged(record)
        if (written === 'moved') return undefined
        tell(written, { type: 'payment_reorged', ...(record.evidence && { transaction: record.evidence.transaction }) })
        for (const attempt of written.attempts) await route.laneBy(attempt.transaction.signer).reopen()
        return after(written)
      }
      case 'settle': {
        if (await isStrange(record, step.evidence)) return undefined
        const written = await journal.settled(record, step.evidence)
        if (written === 'credited') return credited(record, step.evidence.transaction)
        crashpoint('FP-10')
        return end(written, { type: 'payment_settled', transaction: step.evidence.transaction })
      }
      case 'refuse':
        return end(await journal.refused(record, step.refusal), { type: 'payment_refused', code: step.refusal.code })
      case 'bury':
        return end(await journal.dead(record, step.refusal), { type: 'payment_refused', code: step.refusal.code })
    }
  }

  async function lookAgain(record: SettlementRecord): Promise<Facts> {
    return { record, ...(await look(record)) }
  }
}

const PENDING: ChainOutcome = { status: 'pending' }

/** Milliseconds that a payment waits for earlier ones of its payer, which would take the money that it needs. */
const CROWD_PATIENCE = 10_000

/** Milliseconds after which the chain is asked, though the lane has not seen the transaction in a block: somebody else may have landed it. */
const BLIND = 1000

type Told = Pick<X402Event, 'type' | 'transaction' | 'code'>

async function reload(journal: Journal, pid: Pid): Promise<SettlementRecord> {
  const record = await journal.load(pid)
  if (record === undefined) throw new TypeError('A record vanished from the journal')
  return record
}

/** Milliseconds before trying again after so many faults in a row. */
function faultDelay(faults: number): number {
  return Math.min(50 * 2 ** (faults - 1), 5000)
}
