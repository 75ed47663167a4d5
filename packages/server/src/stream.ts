import type { PaymentHeader, Receipt } from '@groat/core'
import { type Answer, type HeaderTable, makePrivate, stripProtocolHeaders } from './answer.js'
import type { ClaimToken } from './claims.js'
import { beginFlow, type Flow, lastEvents } from './flow.js'
import { createMeter } from './meter.js'
import type { VerifiedPayment } from './protect.js'
import type { FinishedAnswer } from './route.js'
import { aboutOf, letGo, quietly, type Run, receiptHeader, spokenOf, tell } from './run.js'
import type { SettlementEnd } from './serve.js'

/** Run the work, and send what it makes as it comes. */
export type StreamReply = {
  readonly type: 'stream'
  readonly payment: VerifiedPayment
  /** Bytes of the answer that are worth keeping, so that it can be sent again. */
  readonly keepBytes: number
  /** Has the last word on the head of an answer of that status. */
  head(headers: HeaderTable, status: number): void
  /** Where the price is counted while the answer leaves: everything goes through it, and nothing after it says stop. */
  readonly flow?: Flow | undefined
  /**
   * Where something is known only when the work has ended: to be awaited once all of it is there, and before its answer is ended.
   * `stopped`: the flow said so.
   */
  last?(stopped: boolean): Promise<Last | undefined>
  /**
   * Writes down that all was delivered, before it is: for what cannot be sent twice. `ended` is not told then. `false`: it could not be
   * written, or the payment is somebody else's by now, and nothing may be sent.
   */
  once?(): Promise<boolean>
  /** To be told once, when it is over. */
  ended(end: StreamEnd): Promise<void>
}

/** What is said when all else is: as the last event of an event stream, or as a trailer. */
export type Last = { readonly event: string; readonly trailer: PaymentHeader }

/** How an answer that was sent as it came ended. */
export type StreamEnd = {
  /** Undefined: the work threw, or had no answer. */
  readonly status?: number
  /** All of it was handed to the network. */
  readonly complete: boolean
  /** What was sent, where that was no more than `keepBytes`. */
  readonly answer?: Answer
}

/** The work of a payment that is settled. Until all of its answer was sent, the buyer can present the payment again and is served. */
export function stream(
  run: Run,
  token: ClaimToken,
  receipt: Receipt,
  granted: Readonly<Record<string, string>>,
): StreamReply {
  const stop = keepLease(run, token)
  let type: string | undefined
  return {
    type: 'stream',
    payment: createMeter(aboutOf(run.candidate)).payment,
    keepBytes: run.route.maxResponseBytes,
    head: (headers, status) => {
      type = headers.get('content-type') ?? undefined
      sealHead(headers)
      // The bearer of what is about to be given back is nobody's.
      const isGivenBack = status >= 400 && run.route.refunds
      if (!isGivenBack) for (const [name, value] of Object.entries(granted)) headers.set(name, value)
      const { name, value } = receiptHeader(run, { status: 'settled', receipt }, status)
      headers.set(name, value)
      for (const [field, text] of Object.entries(spokenOf(run, receipt))) headers.set(field, text)
    },
    once: async () => {
      const { claims, leaseMs } = run.gate
      if ((await quietly(claims.renew(token, leaseMs))) !== true) return false
      try {
        await claims.delivered(token, undefined)
      } catch {
        return false
      }
      stop()
      tell(run, 'delivery_released', { transaction: receipt.transaction })
      return true
    },
    ended: (end) => {
      stop()
      return close(run, token, end, receipt.transaction, type)
    },
  }
}

/**
 * The work of a payment that will be settled when the work has ended. Nothing is charged when there was nothing to sell; a copy that is
 * presented meanwhile can only be settled. Where the price is counted, what comes to be charged is written down before it is settled.
 */
export function streamFirst(
  run: Run,
  token: ClaimToken,
  settle: (charged: bigint | undefined) => Promise<SettlementEnd>,
): StreamReply {
  const { worth, requirements, scheme } = run.candidate.offer
  const { budget, mode, maxResponseBytes } = run.route
  const tally = run.route.tally?.(run.exchange.request, run.candidate.offer)
  const meter = createMeter(aboutOf(run.candidate), {
    ceiling: scheme.metered ? requirements.amount : undefined,
    tally,
  })
  const stop = keepLease(run, token)
  let end: Promise<SettlementEnd> | undefined
  const settleOnce = async (): Promise<SettlementEnd> => {
    if (!meter.covers()) tell(run, 'fault', { code: 'usage_missing' })
    const charged = meter.close()
    if (charged !== undefined) await quietly(run.gate.claims.renew(token, run.gate.leaseMs, charged.toString()))
    return settle(charged)
  }
  const settleNow = (): Promise<SettlementEnd> => {
    end ??= settleOnce()
    return end
  }
  let type: string | undefined
  return {
    type: 'stream',
    payment: meter.payment,
    keepBytes: maxResponseBytes,
    head: (headers) => {
      type = headers.get('content-type') ?? undefined
      sealHead(headers)
      if (tally !== undefined) beginFlow(tally, headers)
    },
    flow: tally,
    last: async (stopped) => {
      const settled = await settleNow()
      if (!('receipt' in settled)) return undefined
      const trailer = receiptHeader(run, { status: 'settled', receipt: settled.receipt })
      return { event: lastEvents(stopped, 'payment-response', trailer.value), trailer }
    },
    ended: async (how) => {
      stop()
      if (how.status === undefined || how.status >= 400) {
        budget?.give(worth)
        // In accepted mode the facilitator has it already: it stays owed.
        if (mode !== 'accepted') {
          await letGo(run, token)
          return tell(run, 'delivery_failed')
        }
        const settled = await quietly(settleNow())
        if (settled !== undefined && 'receipt' in settled)
          return close(run, token, how, settled.receipt.transaction, type)
        return tell(run, 'delivery_failed')
      }
      const settled = await settleNow()
      // What was not settled is lost, and stays in the budget for loss.
      if (!('receipt' in settled)) return
      // What may have been used and is not charged is lost too (SRV-042).
      budget?.give(meter.covers() ? worth : (worth * (meter.close() ?? 0n)) / requirements.amount)
      // What was counted is paid for as far as it went: there is no more to be had for it.
      if (scheme.metered) await deliveredOnce(run, token, how, settled.receipt.transaction)
      else await close(run, token, how, settled.receipt.transaction, type)
    },
  }
}

async function deliveredOnce(
  run: Run,
  token: ClaimToken,
  { complete, answer }: StreamEnd,
  transaction: string,
): Promise<void> {
  await quietly(run.gate.claims.delivered(token, complete ? answer : undefined))
  tell(run, complete ? 'delivery_released' : 'delivery_failed', { transaction })
}

async function close(
  run: Run,
  token: ClaimToken,
  { status, complete, answer }: StreamEnd,
  transaction: string,
  type: string | undefined,
): Promise<void> {
  const { route } = run
  const made = status !== undefined && status < 400
  const isInvalid = made && complete && route.isInvalid(finished(status, type, answer))
  const served = made && !isInvalid
  // How often a pass was used while its first answer left nobody counted.
  const isCounted = !made || route.sold?.seconds === undefined
  if (!served && route.refunds && isCounted && (await quietly(refund(run, token, status, isInvalid)))) {
    await quietly(run.gate.claims.entitlements.revoke(run.candidate.inspected.pid))
    return tell(run, 'delivery_failed', { transaction })
  }
  if (served && complete) {
    await quietly(run.gate.claims.delivered(token, answer))
    return tell(run, 'delivery_released', { transaction })
  }
  await quietly(run.gate.claims.pause(token, served))
  tell(run, 'delivery_failed', { transaction })
}

/** Holds the claim for as long as the answer leaves. */
function keepLease({ gate }: Run, token: ClaimToken): () => void {
  const beat = (): void => void quietly(gate.claims.renew(token, gate.leaseMs))
  const timer: ReturnType<typeof setInterval> & { unref?: () => void } = setInterval(beat, gate.leaseMs / 3)
  timer.unref?.()
  return () => clearInterval(timer)
}

function finished(status: number, type: string | undefined, answer: Answer | undefined): FinishedAnswer {
  const known = type === undefined ? {} : { 'content-type': type }
  return { status, headers: { ...answer?.headers, ...known }, ...(answer && { body: answer.body }) }
}

/** Gives the money back, where the store can. */
async function refund(
  { gate }: Run,
  token: ClaimToken,
  status: number | undefined,
  isInvalid: boolean,
): Promise<boolean> {
  const reason = isInvalid
    ? 'the answer was not valid'
    : status === undefined
      ? 'the work gave no answer'
      : `the work ended with ${status}`
  return (await gate.claims.refund?.(token, reason)) === true
}

/** Only the gate speaks in the protocol's headers, and what is paid for is private. */
export function sealHead(headers: HeaderTable): void {
  stripProtocolHeaders(headers)
  makePrivate(headers)
}
