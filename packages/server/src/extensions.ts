import {
  checkEcho,
  type DeclaredExtension,
  type ExtensionChallenge,
  type ExtensionData,
  type ExtensionRoute,
  type ExtensionServer,
  type FacilitatorRequest,
  type Guarded,
  type Json,
  type JsonObject,
  notify,
  type PaymentPayload,
  type Pid,
  type Receipt,
  type Refusal,
  refuse,
  X402Error,
} from '@groat/core'
import type { Gate } from './paywall.js'
import type { Route } from './route.js'
import type { Run } from './run.js'
import { announcing, type GateRequest, type Terms } from './terms.js'

/** An extension on one route. */
export type RouteExtension = { readonly data: ExtensionData; readonly declared: DeclaredExtension }

/**
 * The extensions that a route declares, in the order in which they are registered.
 * Throws `X402Error` `extension_not_registered` for a key that no half serves (EXT-003), and what the halves throw.
 */
export function compileExtensions(
  said: Readonly<Record<string, Json>> | undefined,
  registered: readonly ExtensionServer[],
  route: ExtensionRoute,
): readonly RouteExtension[] {
  const unknown = Object.keys(said ?? {}).find((key) => !registered.some(({ extension }) => extension.key === key))
  if (unknown !== undefined) throw new X402Error('extension_not_registered', { extension: unknown })
  return registered.flatMap((half) => {
    const { key } = half.extension
    const options = said !== undefined && Object.hasOwn(said, key) ? said[key] : undefined
    if (options === undefined || options === false) return []
    return [{ data: half.extension, declared: half.declare(options, route) }]
  })
}

/** What every challenge of a route holds. */
export function announcedBy(extensions: readonly RouteExtension[]): JsonObject {
  return Object.fromEntries(
    extensions.flatMap(({ data, declared: { announce } }) => (announce === undefined ? [] : [[data.key, announce]])),
  )
}

/** The terms as one request without a payment is told of them: with what is made for it alone. An extension that fails is left out (EXT-006). */
export async function enrichedTerms(gate: Gate, route: Route, request: GateRequest, terms: Terms): Promise<Terms> {
  const { extensions } = terms
  const about = challengeOf(request, terms)
  const made: Record<string, JsonObject | undefined> = {}
  for (const { data, declared } of route.extensions) {
    if (declared.enrich === undefined) continue
    made[data.key] = await told(gate, () => declared.enrich?.(about))
  }
  const all = Object.entries({ ...extensions, ...made }).filter(([, value]) => value !== undefined)
  return announcing(terms, Object.fromEntries(all))
}

const challengeOf = (request: GateRequest, { resource, offers }: Terms): ExtensionChallenge => ({
  request,
  resource,
  offers: offers.map(({ requirements }) => requirements),
})

/** Whether a challenge of the route is made for each request. */
export function isEnriched({ extensions }: Route): boolean {
  return extensions.some(({ declared }) => declared.enrich !== undefined)
}

/** Who need not pay, as the first extension says that knows it. */
export async function admittedBy(
  route: Route,
  request: GateRequest,
  terms: Terms,
): Promise<{ readonly paid: readonly Pid[] } | Refusal | undefined> {
  const about = challengeOf(request, terms)
  for (const { declared } of route.extensions) {
    const admission = await closed(() => declared.admit?.(about))
    if (admission !== undefined) return admission
  }
  return undefined
}

/** Whether an extension may know somebody who need not pay. */
export function admits({ extensions }: Route): boolean {
  return extensions.some(({ declared }) => declared.admit !== undefined)
}

/** What is wrong with the extensions of a new payment, from the payment and the terms alone. */
export function inspectExtensions({ route, terms, candidate: { payment } }: Run): Refusal | undefined {
  const known = route.extensions.map(({ data }) => data)
  const mismatch = checkEcho(payment.extensions, terms.extensions, known)
  if (mismatch !== undefined) return mismatch
  for (const { declared } of route.extensions) {
    const refusal = declared.inspect?.(payment)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

/**
 * The payment as a facilitator is told of it. A facilitator that knows our key lists what stands there as our own word (BAZAAR-037), and the payer has written it: what says how a thing is called and
 * described is what we announce ourselves, and nothing where we announce nothing. That it is ours is said beside it (BAZAAR-038).
 */
export function inOurWords(
  { extensions: declared }: Route,
  request: GateRequest,
  terms: Terms,
  payment: PaymentPayload,
): Pick<FacilitatorRequest, 'payment' | 'vouched'> {
  const { extensions } = payment
  // By this extension catalogues list what is sold.
  if (extensions?.bazaar === undefined) return { payment }
  const own = declared.find(({ data }) => data.key === 'bazaar')?.declared
  const bazaar = own?.vouch?.(challengeOf(request, terms))
  return {
    payment: { ...payment, resource: terms.resource, extensions: { ...extensions, bazaar } },
    ...(bazaar && { vouched: ['bazaar'] }),
  }
}

/**
 * What extensions say of a payment that is verified (`guard`), or of the request that brings again one that was claimed before (`resume`). All are asked, for a payment that repeats an
 * earlier one may yet take its place: the first refusal counts.
 */
export async function judgedBy({ route, exchange, terms, candidate }: Run, by: 'guard' | 'resume'): Promise<Guarded> {
  const { payment, offer, inspected } = candidate
  const { pid, payer, expiresAt } = inspected
  const about = {
    pid,
    payer,
    expiresAt,
    payment,
    requirements: offer.requirements,
    resource: terms.resource,
    request: exchange.request,
  }
  let repeats: Guarded
  for (const { declared } of route.extensions) {
    const said: Guarded = await closed<Guarded>(() => declared[by]?.(about))
    if (said?.ok === false) return said
    repeats ??= said
  }
  return repeats
}

/** The receipt with what extensions have to say in it. One that fails is left out: the money has moved. */
export async function withReceiptExtensions(run: Run, receipt: Receipt): Promise<Receipt> {
  const { gate, route, terms, candidate, asked } = run
  const { payer } = candidate.inspected
  const about = {
    payer,
    resource: terms.resource,
    requirements: asked.requirements,
    payment: candidate.payment,
    receipt,
  }
  let extensions = receipt.extensions
  for (const { data, declared } of route.extensions) {
    if (declared.settled === undefined) continue
    const said = await told(gate, () => declared.settled?.(about))
    if (said !== undefined) extensions = { ...extensions, [data.key]: said }
  }
  return extensions === undefined ? receipt : { ...receipt, extensions }
}

/** Tells extensions what a settled payment has opened. */
export async function tellGranted(run: Run, expiresAt: number | undefined): Promise<void> {
  const { gate, route, candidate } = run
  if (route.sold === undefined) return
  const { pid, payer } = candidate.inspected
  const { network } = candidate.offer.requirements
  const grant = { pid, payer, network, scope: route.sold.scope, ...(expiresAt === undefined ? {} : { expiresAt }) }
  for (const { declared } of route.extensions) await told(gate, () => declared.granted?.(grant))
}

/** A guard that throws says no. */
async function closed<T>(ask: () => Promise<T> | undefined): Promise<T | Refusal | undefined> {
  try {
    return await ask()
  } catch (error) {
    return refuse(X402Error.is(error) && error.code === 'store_busy' ? 'store_busy' : 'extension_unavailable')
  }
}

/** Something that decides nothing: when it fails or is silent the operator is told, and the rest goes on, which may be the delivery of what is paid for (EXT-015). */
async function told<T>({ onEvent, clock, leaseMs }: Gate, ask: () => T | Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new X402Error('extension_unavailable')), leaseMs / SILENCE)
  })
  try {
    return await Promise.race([ask(), silence])
  } catch (error) {
    notify(onEvent, { type: 'fault', at: clock(), code: X402Error.is(error) ? error.code : 'extension_unavailable' })
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** For such a part of a lease, 5 seconds of the usual one, the word of an extension is waited for that decides nothing. */
const SILENCE = 12
