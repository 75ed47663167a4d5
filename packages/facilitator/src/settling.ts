import {
  type Clock,
  DEFAULT_RETRY_AFTER,
  type ErrorCode,
  type FacilitatorRequest,
  type Pid,
  paymentId,
  type RefusedPayment,
  refuse,
  requirementsId,
  type Settlement,
  X402Error,
} from '@groat/core'
import { crashpoint } from './crashpoint.js'
import { createDeadline, type Deadline } from './engine/deadline.js'
import type { Route, Routes } from './engine/route.js'
import type { Run, Settler } from './engine/settler.js'
import type { Journal } from './journal/journal.js'
import { type Claim, type SettlementRecord, settlementOf } from './journal/record.js'
import { isOpen } from './journal/state.js'
import { isSamePayment, type Presentation, readPresentation, storedRequest } from './presentation.js'
import type { ClaimFor, SettleOptions } from './service.js'
import type { Timers } from './timers.js'

/** What settling works with. */
export type SettlingOptions = {
  readonly journal: Journal
  readonly routes: Routes
  readonly settler: Settler
  readonly clock: Clock
  readonly timers: Timers
  readonly minRemainingSeconds: number
  /** Milliseconds after which the answer is `unknown`. */
  readonly settleTimeout: number
  readonly onClaimed: (record: SettlementRecord) => void
}

/** Answers what is presented for settlement: it is claimed once, by whoever presents it first, and all others join. */
export type Settle = (request: FacilitatorRequest, options: SettleOptions) => Promise<Settlement>

/**
 * Makes the answer to settlements.
 *
 * @example
 * const settle = createSettling({ journal, routes, settler, clock, timers, minRemainingSeconds: 6, settleTimeout: 25_000, onClaimed })
 * const settlement = await settle({ payment, requirements }, {})
 */
export function createSettling(options: SettlingOptions): Settle {
  const { journal, routes, settler, clock, timers, minRemainingSeconds, settleTimeout, onClaimed } = options

  async function settle(request: FacilitatorRequest, { signal, ...how }: SettleOptions): Promise<Settlement> {
    const presented = readPresentation(request, routes, { now: clock(), minRemainingSeconds, settling: true })
    crashpoint('FP-01')
    const enough = createDeadline(timers, settleTimeout, signal)
    try {
      return presented.ok ? await follow(await anew(presented), how, enough) : await recall(request, presented, enough)
    } finally {
      enough.clear()
    }
  }

  /** What is dead and can be asked for anew goes on under a name of its own; the dead one stays in the journal as it is (FAC-051). */
  async function anew(presented: Presentation): Promise<Presentation> {
    const { claim, route } = presented
    if (route.half.renews?.(claim.request.payment) !== true) return presented
    let { pid } = claim
    while ((settler.run(pid)?.record ?? (await journal.load(pid)))?.state === 'dead') pid = nextName(pid)
    return { ...presented, claim: { ...claim, pid } }
  }

  /** Claims the payment or joins whoever has; what was refused before anything was signed is claimed anew. */
  async function follow(
    { claim, route }: Presentation,
    { claim: owned, joins = false }: Omit<SettleOptions, 'signal'>,
    enough: Deadline,
  ): Promise<Settlement> {
    const { pid, payer } = claim
    for (;;) {
      const standing = settler.run(pid) ?? (await (joins ? join(claim, route) : take(claim, route, owned)))
      if (standing === undefined) return refused({ ...refuse('payment_in_flight'), payer })
      if (standing === 'unknown') return { status: 'unknown', retryAfter: DEFAULT_RETRY_AFTER, payer }
      const { record } = standing
      if (record.rid === claim.rid) {
        const ended = await outcomeOf(standing, enough)
        // Nothing can be sent, for longer than anybody waits: who is told so is charged for nothing later.
        const hindrance = await standing.withdraw?.(HINDRANCES)
        if (hindrance !== undefined) throw new X402Error(hindrance, { network: ended.network })
        // Refused, but not this spelling of it: a copy with a broken signature must not speak for the good one.
        if (ended.state === 'refused' && ended.requestText !== claim.requestText && !enough.passed()) continue
        return settlementFor(claim.request, ended, route)
      }
      // Other terms. While nothing is signed under them they bind nobody, so it is worth waiting for what becomes of them.
      if (record.state !== 'claimed' && record.state !== 'refused') {
        return refused({ ...refuse('idempotency_mismatch'), payer })
      }
      await Promise.race([record.state === 'claimed' ? standing.decided : standing.end, enough.over])
      if (enough.passed()) return refused({ ...refuse('payment_in_flight'), payer })
    }
  }

  /** A payment that cannot be begun any more may have been, when it could: too late to sign is not too late to answer. */
  async function recall(
    request: FacilitatorRequest,
    { route, late, ...refusal }: RefusedPayment & { readonly route?: Route },
    enough: Deadline,
  ): Promise<Settlement> {
    const record = late && route && (await newestOf(journal, late.pid, () => route.half.renews?.(request.payment)))
    if (route === undefined || record?.rid !== requirementsId(request.requirements)) return refused(refusal)
    if (record.state === 'refused') return refused(refusal)
    return settlementFor(request, await outcomeOf(stand(record, route), enough), route)
  }

  async function settlementFor(
    request: FacilitatorRequest,
    record: SettlementRecord,
    { half, ...route }: Route,
  ): Promise<Settlement> {
    if (!isSamePayment(record, request, { half, ...route })) {
      // Another copy, for which nothing is signed, uses nothing up: that says nothing yet of this one.
      const isFree = record.state === 'claimed' || record.state === 'refused'
      return refused({ ...refuse(isFree ? 'payment_in_flight' : 'payment_already_used'), payer: record.payer })
    }
    const settlement = settlementOf(record, DEFAULT_RETRY_AFTER)
    if (settlement.status !== 'settled' || half.receiptExtra === undefined) return settlement
    // The money has moved: what cannot be read now is left out.
    const extra = await half.receiptExtra(request.payment, request.requirements).catch(() => undefined)
    return extra === undefined ? settlement : { ...settlement, receipt: { ...settlement.receipt, extra } }
  }

  async function outcomeOf(standing: Standing, enough: Deadline): Promise<SettlementRecord> {
    await Promise.race([standing.end, standing.stalled(), enough.over])
    return standing.record
  }

  /** What others have claimed, and was not refused. */
  async function join({ pid }: Claim, route: Route): Promise<Standing | undefined> {
    const record = await journal.load(pid)
    return record === undefined || record.state === 'refused' ? undefined : stand(record, route)
  }

  async function take(unowned: Claim, route: Route, owned: ClaimFor = {}): Promise<Standing | 'unknown'> {
    const claim = owned.tenant === undefined ? unowned : { ...unowned, tenant: owned.tenant }
    const lane = route.laneOf(claim.payer, claim.request)
    if (lane?.blocked !== undefined) {
      const known = await journal.load(claim.pid)
      if (known !== undefined && known.state !== 'refused') return stand(known, route)
      throw new X402Error(lane.blocked, { network: lane.network, signer: lane.signer })
    }
    // Who has no lane leaves it to who has.
    const claimed = await journal.claim(claim, lane === undefined ? null : journal.replica, owned).catch((error) => {
      if (X402Error.is(error) && error.context.committed === 'unknown') return { status: 'unknown' } as const
      throw error
    })
    crashpoint('FP-03')
    switch (claimed.status) {
      case 'won': {
        onClaimed(claimed.record)
        // Nobody has it yet: until somebody does, what was seen here may have changed.
        const run = settler.carry(claimed.record, claim.request, route, lane === undefined ? undefined : claimed.means)
        // What cannot be given back comes back by itself, at the quota's rate.
        void run.end.then(() => giveBack(run.record, owned)).catch(() => undefined)
        return run
      }
      case 'taken': {
        const record = await journal.load(claim.pid)
        return record === undefined ? 'unknown' : stand(record, route)
      }
      case 'unknown':
        return 'unknown'
      case 'over_quota': {
        const { ring, limit, retryAfter } = claimed
        throw new X402Error('quota_exceeded', { ring, ...limit, retryAfter })
      }
      default:
        throw new X402Error('payer_over_limit', { reason: claimed.status })
    }
  }

  /** Refused with nothing signed, it may have been anybody who wrote the payer's name: the payer has what that drew in its name again. */
  async function giveBack({ state }: SettlementRecord, { quotas = [] }: ClaimFor): Promise<void> {
    const drawn = quotas.flatMap(({ ring, key }) => (ring === 'payer' ? key : []))
    if (state === 'refused' && drawn.length > 0) await journal.giveBack(drawn)
  }

  function stand(record: SettlementRecord, route: Route): Standing {
    if (!isOpen(record.state)) return { record, end: done, decided: done, stalled: () => done }
    return settler.carry(record, storedRequest(record), route)
  }

  return settle
}

/** A payment that is open here, or at its end. */
type Standing = Pick<Run, 'record' | 'end' | 'decided' | 'stalled'> & Partial<Pick<Run, 'withdraw'>>

/** What keeps a signer from sending anything. */
const HINDRANCES: ReadonlySet<ErrorCode> = new Set(['fee_above_limit', 'signer_out_of_gas'])

const done = Promise.resolve()

function refused({ code, detail, payer }: { code: ErrorCode; detail?: string; payer?: string }): Settlement {
  return {
    status: 'refused',
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(payer === undefined ? {} : { payer }),
  }
}

/**
 * A payment as it stands, under the newest name that it has: what died and could be asked for anew goes by another since then (FAC-051).
 *
 * @example
 * const record = await newestOf(journal, pid, (dead) => half.renews?.(storedRequest(dead).payment))
 */
export async function newestOf(
  journal: Pick<Journal, 'load'>,
  pid: Pid,
  renews: (dead: SettlementRecord) => boolean | undefined,
): Promise<SettlementRecord | undefined> {
  const record = await journal.load(pid)
  if (record?.state !== 'dead' || renews(record) !== true) return record
  return (await newestOf(journal, nextName(pid), renews)) ?? record
}

/** What a payment is called that is asked for anew. */
function nextName(pid: Pid): Pid {
  return paymentId([pid, 'again'])
}
