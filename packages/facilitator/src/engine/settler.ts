import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
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
import type { SettlementRecord } from '../journal/record.js'
import { isLive } from '../journal/state.js'
import { type Known, plan, pollDelay, type Step } from './plan.js'
import type { Route } from './route.js'

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
  /** The run of an open record: the one there is, or a new one. */
  carry(record: SettlementRecord, request: FacilitatorRequest, route: Route): Run
  /** Stops carrying. What is in the journal stays there for the next start. */
  stop(): Promise<void>
}

/** What a settler works with. */
export type SettlerOptions = {
  readonly journal: Journal
  readonly clock: Clock
  readonly minRemainingSeconds: number
  readonly onEvent: OnEvent | undefined
  readonly report: ReportFault
}

/** Makes a settler. */
export function createSettler(options: SettlerOptions): Settler {
  const runs = new Map<Pid, Run>()
  const stopping = new AbortController()
  // Every open payment sleeps on it.
  setMaxListeners(0, stopping.signal)

  return {
    run: (pid) => runs.get(pid),
    carry(record, request, route) {
      const known = runs.get(record.pid)
      if (known !== undefined) return known
      const run = startRun(record, request, route, options, stopping.signal, () => runs.delete(record.pid))
      runs.set(record.pid, run)
      return run
    },
    async stop() {
      stopping.abort()
      await Promise.all([...runs.values()].map(({ end }) => end))
    },
  }
}

/** What is known between two steps. */
type Facts = Omit<Known, 'record' | 'now'> & { readonly record: SettlementRecord }

function startRun(
  first: SettlementRecord,
  request: FacilitatorRequest,
  route: Route,
  options: SettlerOptions,
  stopping: AbortSignal,
  onEnd: () => void,
): Run {
  const { journal, clock, report } = options
  const { pid } = first
  const steps = createSteps(first.payer, request, route, options)
  const decided = createSignal()
  const looked = createSignal()
  let stalled = createSignal()
  let record = first
  let faults = 0
  let since = clock()

  async function go(): Promise<void> {
    let known: Facts | undefined = { record }
    while (!stopping.aborted) {
      try {
        known ??= { record: await reload(journal, pid) }
        note(known.record)
        const step = plan({ ...known, now: clock() })
        if (step.do === 'done') return
        if (step.do === 'wait') {
          looked.give()
          if (known.said?.status === 'rejected' || known.verdict !== undefined) stall()
          await sleep(pollDelay(clock() - since), undefined, { signal: stopping })
          known = { record, ...(known.verdict === undefined ? {} : { verdict: known.verdict }) }
          continue
        }
        known = await steps(step, known)
        faults = 0
      } catch (error) {
        if (stopping.aborted) return
        faults += 1
        looked.give()
        const reference = report(error, { during: 'settle', pid })
        known = await giveUpUnsigned(error, reference)
        if (faults > 1) stall()
        if (known === undefined) await sleep(faultDelay(faults), undefined, { signal: stopping }).catch(() => undefined)
      }
    }
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
  }
}

/** The effects behind the steps: each does one thing and says what is known after it; nothing, when the journal has to be read again. */
function createSteps(payer: string, request: FacilitatorRequest, route: Route, options: SettlerOptions) {
  const { payment, requirements } = request
  const { journal, clock, minRemainingSeconds, onEvent } = options
  const { half } = route
  const lane = route.laneOf(payer, request)

  async function check({ record }: Facts): Promise<Facts | undefined> {
    const now = { now: clock(), minRemainingSeconds, settling: true }
    const verdict = await half.verify(payment, requirements, { ...now, signer: lane.signer })
    if (!verdict.ok) return { record, verdict }
    const call = await half.prepare(payment, requirements)
    if (call === undefined) return end(await journal.waived(record), { type: 'payment_settled' })
    const latest = (record.expiresAt - minRemainingSeconds) * 1000
    const written = await lane.sign(record, call, () => clock() > latest)
    // Waited too long for its turn: the next check will say so in the scheme's own words.
    return written === 'late' ? { record } : after(written)
  }

  async function look(record: SettlementRecord): Promise<ChainOutcome> {
    // What is known to have failed has nothing more to say, and would drown what the chain says of the payment itself.
    const sent = record.attempts.flatMap(({ transaction, status }) => (status === 'failed' ? [] : [transaction]))
    const outcome = await half.outcome(payment, requirements, sent)
    crashpoint('FP-09')
    return outcome
  }

  async function send(known: Facts, transaction: SignedTransaction): Promise<Facts | undefined> {
    const { record } = known
    const said = await route.laneBy(transaction.signer).send(transaction)
    if (said.status !== 'accepted') return { ...known, said }
    crashpoint('FP-07')
    tell(record, { type: 'transaction_sent', transaction: transaction.hash })
    const [written, chain] = await Promise.all([journal.sent(record, transaction), look(record)])
    crashpoint('FP-08')
    return written === 'moved' ? undefined : { ...known, record: written, said, chain }
  }

  /** What we found is another payment's. Unsigned, ours ends there; signed, there may be more to find. */
  async function credited(record: SettlementRecord, transaction: string): Promise<Facts | undefined> {
    if (record.state !== 'claimed') {
      throw new X402Error('rpc_invalid_answer', { transaction, reason: 'its log credits another payment' })
    }
    const refusal = refuse('payment_already_used')
    return end(await journal.refused(record, refusal), { type: 'payment_refused', code: refusal.code })
  }

  async function end(written: Written, event: Told): Promise<Facts | undefined> {
    if (written === 'moved') return undefined
    for (const attempt of written.attempts) {
      const { hash, signer } = attempt.transaction
      if (isLive(attempt)) route.laneBy(signer).leave(hash)
      else route.laneBy(signer).forget(hash)
    }
    tell(written, event)
    return after(written)
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
        return { ...known, chain: await look(record) }
      case 'send':
        return send(known, step.attempt.transaction)
      case 'close': {
        const { transaction } = step.attempt
        const written = await journal.closed(record, transaction, step.as)
        if (written !== 'moved') route.laneBy(transaction.signer).forget(transaction.hash)
        return after(written)
      }
      case 'settle': {
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
}

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

function createSignal(): { readonly given: Promise<void>; give(): void } {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}
