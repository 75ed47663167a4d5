import {
  type ChainOutcome,
  type Clock,
  type FacilitatorRequest,
  type Network,
  notify,
  type OnEvent,
  type Pid,
  type Refusal,
  refuse,
  type SignedTransaction,
  type Verdict,
  type VerifyOptions,
  X402Error,
  type X402Event,
} from '@groat/core'
import { crashpoint } from '../crashpoint.js'
import type { Journal, Means, Written } from '../journal/journal.js'
import type { Evidence, SettlementRecord } from '../journal/record.js'
import { isLive } from '../journal/state.js'
import { type FinalityLevel, isDeepEnough } from './finality.js'
import type { Lane } from './lane.js'
import type { Moves } from './moves.js'
import type { Known, Step } from './plan.js'
import type { Route } from './route.js'
import { isIdle } from './signing.js'

/** What the effects work with. */
export type EffectsOptions = {
  readonly journal: Journal
  readonly clock: Clock
  readonly minRemainingSeconds: number
  /** How deep the block of a payment has to be before it is called settled. */
  readonly finality: (record: SettlementRecord) => FinalityLevel
  readonly onEvent: OnEvent | undefined
  readonly moves: Moves
  /** Whether no other replica is there that could sign on a network. */
  readonly isAlone: (network: Network) => boolean
  /** What the first check goes by, as the claim saw it. */
  readonly means: Means | undefined
}

/** What is known between two steps. */
export type Facts = Omit<Known, 'record' | 'now'> & { readonly record: SettlementRecord }

/** Makes the effects behind the steps of one payment: each does one thing and says what is known after it; nothing, when the journal has to be read again. */
export function createEffects(payer: string, request: FacilitatorRequest, route: Route, options: EffectsOptions) {
  const { payment, requirements } = request
  const { journal, clock, minRemainingSeconds, onEvent, moves } = options
  const { half, chain } = route
  /** When it began to wait for its money, if it has to. */
  let begun = clock()
  let claimed = options.means

  async function check({ record }: Facts): Promise<Facts | undefined> {
    // Good for one check: those that come before it may end, or be undone, and what is given away comes back later.
    const seen = claimed
    claimed = undefined
    const lane = route.laneOf(payer, request)
    // Who cannot sign lets somebody else. Where the payment names the signer, nobody else can either.
    const isStuck =
      lane?.blocked !== undefined && !options.isAlone(record.network) && route.signerOf(request) === undefined
    if (lane === undefined || isStuck) return after(await journal.give(record))
    const arrive = lane.expect()
    try {
      return await checkFor(lane, record, arrive, seen ?? (await journal.means(record)))
    } finally {
      arrive()
    }
  }

  async function checkFor(
    lane: Lane,
    record: SettlementRecord,
    arrive: () => void,
    means: Means,
  ): Promise<Facts | undefined> {
    const { undone } = means
    const at = { now: clock(), minRemainingSeconds, settling: true, signer: lane.signer }
    const verdict = await judgeSince(record, means, at)
    if (verdict === 'crowded') return { record, chain: PENDING, crowded: true }
    if (!verdict.ok) return { record, verdict }
    const enabled = await half.enable?.(payment, requirements, at)
    if (enabled?.ok === false) return { record, verdict: enabled }
    const call = await half.prepare(payment, requirements)
    if (call === undefined) return end(await journal.waived(record), { type: 'payment_settled' })
    // It has become unable to send meanwhile, and another is not.
    if (lane.blocked !== undefined && route.laneOf(payer, request) !== lane) return { record }
    const latest = (record.expiresAt - minRemainingSeconds) * 1000
    const signing = lane.sign({ record, undone }, call, () => clock() > latest)
    arrive()
    const written = await signing
    // Waited too long for its turn, or for a lane that is somebody else's by now, or can send nothing: the next check will say so.
    return written === 'late' || written === 'lost' ? { record } : after(written)
  }

  /** By no older state than that in which the payer's money is known to have moved last. A node that does not show it yet is waited for. */
  async function judgeSince(record: SettlementRecord, means: Means, at: VerifyOptions): Promise<Verdict | 'crowded'> {
    const { mined = [], moved } = means
    const others = mined.map(({ blockNumber }) => blockNumber)
    const since = moves.latest(record, moved === undefined ? others : [...others, moved])
    if (since === undefined) return judge(means, at)
    return judge(means, { ...at, since }).catch((error) => {
      if (X402Error.is(error) && clock() - begun < CROWD_PATIENCE) return 'crowded'
      throw error
    })
  }

  /** `crowded`: the payer has the money, and may still have it when its earlier payments have taken theirs. */
  async function judge({ reserved, mined = [] }: Means, at: VerifyOptions): Promise<Verdict | 'crowded'> {
    const verify = (kept: bigint) => half.verify(payment, requirements, kept === 0n ? at : { ...at, reserved: kept })
    const verdict = await verify(reserved)
    if (verdict.ok || reserved === 0n || !(await verify(0n)).ok) return verdict
    const shown = await shownOf(mined)
    const gone = shown.reduce((sum, { amount }) => sum + amount, 0n)
    if (gone > 0n) {
      const without = await verify(reserved - gone)
      // A block that was undone meanwhile had taken nothing from what was seen.
      if (without.ok && (await shownOf(shown)).length === shown.length) return without
    }
    return clock() - begun < CROWD_PATIENCE ? 'crowded' : verdict
  }

  /** Those whose block the node has: it shows the money without them. */
  async function shownOf<T extends Block>(mined: readonly T[]): Promise<readonly T[]> {
    const numbers = [...new Set(mined.map(({ blockNumber }) => blockNumber))]
    const hashes = await Promise.all(numbers.map((number) => chain.blockHash?.(number)))
    return mined.filter(({ blockNumber, blockHash }) => hashes[numbers.indexOf(blockNumber)] === blockHash)
  }

  async function look(record: SettlementRecord): Promise<Pick<Facts, 'chain' | 'isDeep' | 'stands' | 'gone'>> {
    let outcome = await outcomeOf(record)
    const gone = outcome.status === 'pending' && (await isGone(record))
    // What took the number had to be shown by then; it may not have been before.
    if (gone) outcome = await outcomeOf(record)
    crashpoint('FP-09')
    if (outcome.status !== 'settled') return { chain: outcome, stands: await isStanding(record), gone }
    return { chain: outcome, isDeep: await isDeepEnough(chain, outcome.blockNumber, options.finality(record)) }
  }

  /**
   * What is known to have failed says nothing as long as it stands, and would drown what the chain says of the payment itself; but where its block was undone it may have landed
   * after all. What moves nothing in its place is no failure of it: its nonce is gone.
   */
  async function outcomeOf(record: SettlementRecord): Promise<ChainOutcome> {
    const sent = (hasFailed: boolean) =>
      record.attempts.flatMap(({ transaction, status }) =>
        isIdle(transaction) || (status === 'failed') !== hasFailed ? [] : [transaction],
      )
    const failed = sent(true)
    const outcome = await half.outcome(payment, requirements, sent(false))
    if (outcome.status === 'settled' || failed.length === 0) return outcome
    const again = await half.outcome(payment, requirements, failed)
    if (again.status === 'settled') return again
    // What dies with its last transaction lives until that one has failed for good.
    const failedIn = outcome.status === 'dead' && again.status === 'reverted' ? again.blockNumber : undefined
    if (failedIn !== undefined && !(await isDeepEnough(chain, failedIn, options.finality(record))))
      return { ...PENDING, alone: true }
    return outcome
  }

  async function isGone({ attempts }: SettlementRecord): Promise<boolean> {
    const live = attempts.find(isLive)
    return live !== undefined && route.laneBy(live.transaction.signer).isGone(live.transaction)
  }

  /** Whether the block that showed a payment is still there, as far as the node that is asked has come. */
  async function isStanding({ state, evidence }: SettlementRecord): Promise<boolean> {
    if (state !== 'mined' || evidence === undefined || chain.blockHash === undefined) return false
    const hash = await chain.blockHash(evidence.blockNumber)
    return hash === undefined || hash === evidence.blockHash
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
    return end(await journal.refused(record, refusal), refused(refusal))
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
        begun = clock()
        const { blockNumber } = known.chain?.status === 'reverted' ? known.chain : {}
        if (blockNumber !== undefined) moves.note(record, blockNumber)
        if (written !== 'moved') route.laneBy(step.attempt.transaction.signer).forget(step.attempt.transaction)
        return after(written)
      }
      case 'mine': {
        if (await isStrange(record, step.evidence)) return undefined
        moves.note(record, step.evidence.blockNumber)
        const written = await journal.settled(record, step.evidence, 'mined')
        if (written === 'credited') return credited(record, step.evidence.transaction)
        if (written !== 'moved') release(written)
        return written === 'moved' ? undefined : { ...known, record: written }
      }
      case 'undo': {
        const written = await journal.reorged(record)
        if (written === 'moved') return undefined
        tell(written, { type: 'payment_reorged', ...(record.evidence && { transaction: record.evidence.transaction }) })
        await route.reopen()
        return after(written)
      }
      case 'settle': {
        if (await isStrange(record, step.evidence)) return undefined
        moves.note(record, step.evidence.blockNumber)
        const written = await journal.settled(record, step.evidence)
        if (written === 'credited') return credited(record, step.evidence.transaction)
        crashpoint('FP-10')
        return end(written, { type: 'payment_settled', transaction: step.evidence.transaction })
      }
      case 'refuse':
        return end(await journal.refused(record, step.refusal), refused(step.refusal))
      case 'bury':
        return end(await journal.dead(record, step.refusal), refused(step.refusal))
    }
  }

  async function lookAgain(record: SettlementRecord): Promise<Facts> {
    return { record, ...(await look(record)) }
  }
}

const PENDING = { status: 'pending' } as const satisfies ChainOutcome

/** Milliseconds that a payment waits for earlier ones of its payer, which would take the money that it needs. */
const CROWD_PATIENCE = 10_000

type Block = Pick<Evidence, 'blockNumber' | 'blockHash'>

type Told = Pick<X402Event, 'type' | 'transaction' | 'code' | 'during'>

function refused({ code }: Refusal): Told {
  return { type: 'payment_refused', during: 'settle', code }
}

/** The record as the journal has it now. */
export async function reload(journal: Journal, pid: Pid): Promise<SettlementRecord> {
  const record = await journal.load(pid)
  if (record === undefined) throw new TypeError('A record vanished from the journal')
  return record
}
