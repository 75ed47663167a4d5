import type { Receipt } from '@groat/core'
import { type Answer, type HeaderTable, makePrivate, stripProtocolHeaders } from './answer.js'
import type { ClaimToken } from './claims.js'
import { createMeter } from './meter.js'
import type { VerifiedPayment } from './protect.js'
import { letGo, quietly, type Run, receiptHeader, tell } from './run.js'
import type { SettlementEnd } from './serve.js'

/** Run the work, and send what it makes as it comes. */
export type StreamReply = {
  readonly type: 'stream'
  readonly payment: VerifiedPayment
  /** Bytes of the answer that are worth keeping, so that it can be sent again. */
  readonly keepBytes: number
  /** Has the last word on the head. */
  head(headers: HeaderTable): void
  /**
   * Where the payment is settled after the work: to be awaited once all of the work is there, and before its answer is ended. Gives the
   * receipt as the last event, for an answer that is an event stream.
   */
  last?(): Promise<string | undefined>
  /** To be told once, when it is over. */
  ended(end: StreamEnd): Promise<void>
}

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
  const { name, value } = receiptHeader(run, { status: 'settled', receipt })
  return {
    type: 'stream',
    payment: createMeter(run.candidate).payment,
    keepBytes: run.route.maxResponseBytes,
    head: (headers) => {
      sealHead(headers)
      for (const [name, value] of Object.entries(granted)) headers.set(name, value)
      headers.set(name, value)
    },
    ended: (end) => close(run, token, end, receipt.transaction),
  }
}

/**
 * The work of a payment that will be settled when the work has ended. Nothing is charged when there was nothing to sell; a copy that is
 * presented meanwhile can only be settled.
 */
export function streamFirst(run: Run, token: ClaimToken, settle: () => Promise<SettlementEnd>): StreamReply {
  const { worth } = run.candidate.offer
  const { budget, mode, maxResponseBytes } = run.route
  let end: Promise<SettlementEnd> | undefined
  const settleNow = (): Promise<SettlementEnd> => {
    end ??= settle()
    return end
  }
  return {
    type: 'stream',
    payment: createMeter(run.candidate).payment,
    keepBytes: maxResponseBytes,
    head: sealHead,
    last: async () => {
      const settled = await settleNow()
      if (!('receipt' in settled)) return undefined
      const { value } = receiptHeader(run, { status: 'settled', receipt: settled.receipt })
      return `event: payment-response\ndata: ${value}\n\n`
    },
    ended: async (how) => {
      if (how.status === undefined || how.status >= 400) {
        budget?.give(worth)
        // In accepted mode the facilitator has it already: it stays owed.
        if (mode === 'accepted') await quietly(settleNow())
        else await letGo(run, token)
        return tell(run, 'delivery_failed')
      }
      const settled = await settleNow()
      // What was not settled is lost, and stays in the budget for loss.
      if (!('receipt' in settled)) return
      budget?.give(worth)
      await close(run, token, how, settled.receipt.transaction)
    },
  }
}

async function close(
  run: Run,
  token: ClaimToken,
  { status, complete, answer }: StreamEnd,
  transaction: string,
): Promise<void> {
  const served = status !== undefined && status < 400
  if (served && complete) {
    await quietly(run.gate.claims.delivered(token, answer))
    return tell(run, 'delivery_released', { transaction })
  }
  await quietly(run.gate.claims.pause(token, served))
  tell(run, 'delivery_failed', { transaction })
}

/** Only the gate speaks in the protocol's headers, and what is paid for is private. */
function sealHead(headers: HeaderTable): void {
  stripProtocolHeaders(headers)
  makePrivate(headers)
}
