import {
  assetByAddress,
  decodeFacilitatorRequest,
  type ErrorCode,
  encodeFacilitatorRequest,
  type FacilitatorRequest,
  type JsonObject,
  notify,
  type PaymentRequirements,
  type Pid,
  refuse,
  sameAddress,
  X402Error,
  type X402Event,
} from '@groat/core'
import { problemAnswer } from './answer.js'
import type { Balance, Redeemed } from './entitlements.js'
import { tellGranted } from './extensions.js'
import { beginFlow, lastEvents } from './flow.js'
import { createMeter } from './meter.js'
import type { Gate } from './paywall.js'
import type { Reply, VerifiedPayment } from './protect.js'
import type { Route } from './route.js'
import type { Run } from './run.js'
import { type StreamReply, sealHead } from './stream.js'
import { type GateRequest, refusalAnswer, type Terms } from './terms.js'

/** The header that carries an entitlement, both ways. In an answer, what is left of it follows. */
export const ENTITLEMENT_HEADER = 'PAYMENT-ENTITLEMENT'

/** What a route sells with one payment: so many uses, so much time, or so much money to use up. */
export type Sold = {
  readonly scope: string
  readonly uses?: number
  readonly seconds?: number
  readonly prepaid?: string
}

/** What is paid for and taken for one use. */
type Use = {
  readonly payment: Omit<VerifiedPayment, 'charge' | 'use'>
  readonly token?: string
  readonly balance?: Balance
  /** Atomic units that were taken out of what was prepaid: the ceiling of this use. */
  readonly taken?: bigint | undefined
  /** Of the asset that was prepaid in. */
  readonly decimals?: number | undefined
  /** It costs nothing: what it would have cost is only counted. */
  readonly free?: boolean
}

/** Serves a request by what was paid for before. The work leaves as it is made; a use for which nothing was delivered is given back. */
export async function serveEntitled<Native>(
  gate: Gate,
  route: Route,
  request: GateRequest,
  terms: Terms,
  header: string,
): Promise<Reply<Native>> {
  const token = tokenIn(header)
  const refused = (code: ErrorCode): Reply<Native> => {
    notify(gate.onEvent, { type: 'payment_refused', at: gate.clock(), resource: terms.resource.url, code })
    return { type: 'answer', answer: refusalAnswer(terms, refuse(code)), paid: false }
  }
  const pid = await gate.bearers.read(token)
  if (pid === undefined || route.sold === undefined) return refused('entitlement_invalid')
  let redeemed: RedeemedUse | undefined
  try {
    redeemed = await redeemUse(gate, route, route.sold, terms, pid)
  } catch {
    return { type: 'answer', answer: problemAnswer('store_unavailable'), paid: false }
  }
  if (redeemed === undefined) return refused('entitlement_used_up')
  const { taken, decimals } = redeemed
  const payment = paymentFrom(redeemed.pid ?? pid, redeemed.proof)
  return streamUse(gate, route, request, terms, { payment, token, balance: redeemed, taken, decimals })
}

/** A use that was taken, and the decimals of what it was taken of, where that is a credit. */
type RedeemedUse = Redeemed & { readonly decimals?: number }

/** Takes one use, of a credit as much as one may cost: in the atomic units of the asset that it was paid in. */
async function redeemUse(
  { claims: { entitlements } }: Gate,
  route: Route,
  sold: Sold,
  terms: Terms,
  pid: Pid,
): Promise<RedeemedUse | undefined> {
  const use = useOf(route, terms)
  if (route.mostPerUse === undefined) return entitlements.redeem(pid, sold.scope, use)
  for (const decimals of new Set(terms.offers.flatMap((offer) => offer.decimals ?? []))) {
    const most = route.mostPerUse(decimals)
    const redeemed = await entitlements.redeem(pid, creditScope(sold.scope, decimals), { ...use, most })
    if (redeemed !== undefined) return { ...redeemed, decimals }
  }
  return undefined
}

/** What a credit is good for: atomic units of one size are no others'. Most assets that are paid in have six decimals. */
function creditScope(scope: string, decimals: number): string {
  return decimals === 6 ? scope : `${scope} of ${decimals} decimals`
}

/** Serves a request by the first of these payments of which something is left; `undefined`: nothing is. Whose they are was proved already. */
export async function serveEntitledBy<Native>(
  gate: Gate,
  route: Route,
  request: GateRequest,
  terms: Terms,
  paid: readonly Pid[],
): Promise<Reply<Native> | undefined> {
  for (const pid of paid) {
    const reply = await serveEntitled<Native>(gate, route, request, terms, await gate.bearers.make(pid))
    const isStoreDown = reply.type === 'answer' && reply.answer.status >= 500
    if (reply.type === 'stream' || isStoreDown) return reply
  }
  return undefined
}

/** What the books say a use was for. */
const useOf = ({ name }: Route, { resource }: Terms) => ({ route: name, resource: resource.url })

/** One use of what was paid for before, or of what costs nothing. */
export function streamUse(gate: Gate, route: Route, request: GateRequest, terms: Terms, use: Use): StreamReply {
  const { payment, token, balance = {}, taken, decimals, free = false } = use
  const { pid } = payment
  const offer =
    terms.offers.find(({ requirements }) => isOfSameAsset(requirements, payment.offer)) ??
    // What was paid in an asset that is asked for elsewhere is counted in units of the same size.
    terms.offers.find((other) => other.decimals !== undefined && other.decimals === decimals)
  const ceiling = free ? offer?.requirements.amount : taken
  const tally = ceiling === undefined || offer === undefined ? undefined : route.tally?.(request, offer, ceiling)
  const meter = createMeter(payment, { ceiling, tally })
  const { entitlements } = gate.claims
  const notified = (type: X402Event['type'], more: Partial<X402Event> = {}): void =>
    notify(gate.onEvent, { type, at: gate.clock(), pid, resource: terms.resource.url, ...more })
  let settled = false
  /** Gives back what this use did not take. */
  const settle = async (): Promise<bigint> => {
    if (!settled && taken !== undefined && !meter.covers()) notified('fault', { code: 'usage_missing' })
    const charged = meter.close() ?? taken ?? 0n
    if (!settled && taken !== undefined) await entitlements.giveBack(pid, { credit: taken - charged }).catch(() => {})
    settled = true
    return charged
  }
  return {
    type: 'stream',
    payment: meter.payment,
    keepBytes: 0,
    head: (headers) => {
      sealHead(headers)
      if (tally !== undefined) beginFlow(tally, headers)
      if (token !== undefined) headers.set(ENTITLEMENT_HEADER.toLowerCase(), formatEntitlement(token, balance))
    },
    flow: tally,
    ...(tally === undefined || free
      ? {}
      : {
          last: async (stopped: boolean) => {
            const charged = await settle()
            const left = { credit: (balance.credit ?? 0n) + (taken ?? 0n) - charged }
            const value = formatEntitlement(token ?? '', { ...balance, ...left })
            const data = JSON.stringify({ charged: charged.toString(), credit: left.credit.toString() })
            return {
              event: lastEvents(stopped, 'payment-entitlement', data),
              trailer: { name: ENTITLEMENT_HEADER, value },
            }
          },
        }),
    ended: async ({ status }) => {
      if (status !== undefined && status < 400)
        return notified('entitlement_used', taken === undefined ? {} : { amount: await settle() })
      if (!settled)
        await entitlements.giveBack(pid, taken === undefined ? useOf(route, terms) : { credit: taken }).catch(() => {})
      settled = true
      notified('delivery_failed')
    },
  }
}

/** What a settled payment has bought, as the buyer is told of it. */
export type Granted = { readonly token: string; readonly balance: Balance; readonly headers: Record<string, string> }

const isOfSameAsset = (a: PaymentRequirements, b: PaymentRequirements): boolean =>
  a.network === b.network && sameAddress(a.asset, b.asset)

/** Writes down what a settled payment bought; `undefined`: nothing beyond its answer, or the store failed. */
export async function grantFor(run: Run): Promise<Granted | undefined> {
  const { gate, route, candidate, asked, exchange } = run
  const { sold } = route
  if (sold === undefined) return undefined
  const before = exchange.request.header(ENTITLEMENT_HEADER)
  const { pid } = candidate.inspected
  const { uses, prepaid, seconds } = sold
  const proof = JSON.stringify({ payer: candidate.inspected.payer, asked: encodeFacilitatorRequest(asked) })
  try {
    // The answer that goes with the payment is the first use.
    const first = uses === undefined ? {} : { uses: uses - 1 }
    const credit = prepaid === undefined ? {} : { credit: asked.requirements.amount }
    const scope = prepaid === undefined ? sold.scope : creditScope(sold.scope, decimalsOf(run))
    const time = seconds === undefined ? {} : { seconds }
    // Who shows what was bought before tops it up, and keeps its bearer.
    const tops = before ? await gate.bearers.read(tokenIn(before)) : undefined
    const more = tops === undefined || tops === pid ? {} : { tops }
    const grant = { pid, proof, scope, ...time, ...first, ...credit, ...more }
    const { of = pid, ...balance } = await gate.claims.entitlements.grant(grant)
    const token = await gate.bearers.make(of)
    await tellGranted(run, balance.expiresAt)
    return { token, balance, headers: { [ENTITLEMENT_HEADER.toLowerCase()]: formatEntitlement(token, balance) } }
  } catch {
    // The payment that is presented again is granted then.
    return undefined
  }
}

/**
 * The decimals of what was paid. Of an offer that is made no more they are those of the asset in another offer, or of a default asset.
 * Throws `X402Error` `unknown_asset`.
 */
function decimalsOf({ candidate: { offer }, terms: { offers } }: Run): number {
  const { network, asset } = offer.requirements
  const other = offers.find(({ requirements }) => isOfSameAsset(requirements, offer.requirements))
  const decimals = offer.decimals ?? other?.decimals ?? assetByAddress(network, asset)?.decimals
  if (decimals === undefined) throw new X402Error('unknown_asset', { network, asset })
  return decimals
}

/** The payment of a call that costs nothing, for the terms that another would pay. */
export function freePayment(pid: Pid, offer: PaymentRequirements): Use['payment'] {
  const { scheme, network } = offer
  return { pid, payer: '', amount: 0n, offer, payload: { x402Version: 2, scheme, network, payload: {} } }
}

const tokenIn = (header: string): string => (header.split(';', 1)[0] ?? '').trim()

function formatEntitlement(token: string, { left, credit, expiresAt }: Balance): string {
  const more = [
    ...(left === undefined ? [] : [`left=${left}`]),
    ...(credit === undefined ? [] : [`credit=${credit}`]),
    ...(expiresAt === undefined ? [] : [`expires=${new Date(expiresAt).toISOString()}`]),
  ]
  return [token, ...more].join('; ')
}

/** The payment of a proof that we wrote ourselves. */
function paymentFrom(pid: Pid, proof: string): Use['payment'] {
  const { payer, asked } = JSON.parse(proof) as { readonly payer: string; readonly asked: JsonObject }
  const decoded = decodeFacilitatorRequest(asked)
  if (!decoded.ok) throw new X402Error('store_unavailable', { reason: 'corrupt', pid })
  const { payment, requirements }: FacilitatorRequest = decoded.value
  return { pid, payer, amount: requirements.amount, offer: requirements, payload: payment }
}
