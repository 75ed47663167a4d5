import {
  decodeFacilitatorRequest,
  type ErrorCode,
  encodeFacilitatorRequest,
  type FacilitatorRequest,
  notify,
  type Pid,
  refuse,
  X402Error,
} from '@groat/core'
import { makePrivate, problemAnswer, stripProtocolHeaders } from './answer.js'
import type { Balance } from './entitlements.js'
import type { Gate } from './paywall.js'
import type { Reply, VerifiedPayment } from './protect.js'
import type { Run } from './run.js'
import { refusalAnswer, type Terms } from './terms.js'

/** The header that carries an entitlement, both ways. In an answer, what is left of it follows. */
export const ENTITLEMENT_HEADER = 'PAYMENT-ENTITLEMENT'

/** What a route sells with one payment: so many uses, or so much time. */
export type Sold = { readonly scope: string; readonly uses?: number; readonly seconds?: number }

/** Serves a request by what was paid for before. The work leaves as it is made; a use for which nothing was delivered is given back. */
export async function serveEntitled<Native>(
  gate: Gate,
  route: string,
  sold: Sold,
  terms: Terms,
  header: string,
): Promise<Reply<Native>> {
  const [token = ''] = header.split(';', 1)
  const use = { route, resource: terms.resource.url }
  const refused = (code: ErrorCode): Reply<Native> => {
    notify(gate.onEvent, { type: 'payment_refused', at: gate.clock(), resource: terms.resource.url, code })
    return { type: 'answer', answer: refusalAnswer(terms, refuse(code)), paid: false }
  }
  const pid = await gate.bearers.read(token.trim())
  if (pid === undefined) return refused('entitlement_invalid')
  let redeemed: Awaited<ReturnType<Gate['claims']['entitlements']['redeem']>>
  try {
    redeemed = await gate.claims.entitlements.redeem(pid, sold.scope, use)
  } catch {
    return { type: 'answer', answer: problemAnswer('store_unavailable'), paid: false }
  }
  if (redeemed === undefined) return refused('entitlement_used_up')
  const value = formatEntitlement(token.trim(), redeemed)
  return {
    type: 'stream',
    payment: paymentFrom(pid, redeemed.proof),
    keepBytes: 0,
    head: (headers) => {
      stripProtocolHeaders(headers)
      makePrivate(headers)
      headers.set(ENTITLEMENT_HEADER.toLowerCase(), value)
    },
    ended: async ({ status }) => {
      const resource = terms.resource.url
      if (status !== undefined && status < 400) {
        notify(gate.onEvent, { type: 'entitlement_used', at: gate.clock(), pid, resource })
        return
      }
      await gate.claims.entitlements.giveBack(pid, use).catch(() => {})
      notify(gate.onEvent, { type: 'delivery_failed', at: gate.clock(), pid, resource })
    },
  }
}

/** Writes down what a settled payment bought, and names it in the answer. */
export async function grantFor({ gate, route, candidate, asked }: Run): Promise<Readonly<Record<string, string>>> {
  const { sold } = route
  if (sold === undefined) return {}
  const { pid } = candidate.inspected
  const { uses, ...rest } = sold
  const proof = JSON.stringify({ payer: candidate.inspected.payer, asked: encodeFacilitatorRequest(asked) })
  try {
    // The answer that goes with the payment is the first use.
    const grant = { pid, proof, ...rest, ...(uses === undefined ? {} : { uses: uses - 1 }) }
    const balance = await gate.claims.entitlements.grant(grant)
    return { [ENTITLEMENT_HEADER.toLowerCase()]: formatEntitlement(await gate.bearers.make(pid), balance) }
  } catch {
    // The payment that is presented again is granted then.
    return {}
  }
}

function formatEntitlement(token: string, { left, expiresAt }: Balance): string {
  const more = [
    ...(left === undefined ? [] : [`left=${left}`]),
    ...(expiresAt === undefined ? [] : [`expires=${new Date(expiresAt).toISOString()}`]),
  ]
  return [token, ...more].join('; ')
}

/** The payment of a proof that we wrote ourselves. */
function paymentFrom(pid: Pid, proof: string): VerifiedPayment {
  const { payer, asked } = JSON.parse(proof) as { readonly payer: string; readonly asked: unknown }
  const decoded = decodeFacilitatorRequest(asked)
  if (!decoded.ok) throw new X402Error('store_unavailable', { reason: 'corrupt', pid })
  const { payment, requirements }: FacilitatorRequest = decoded.value
  return {
    pid,
    payer,
    amount: requirements.amount,
    offer: requirements,
    payload: payment,
    charge: () => {
      throw new X402Error('invalid_charge', { reason: 'it was paid for before' })
    },
  }
}
