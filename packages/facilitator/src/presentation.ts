import {
  canonicalJson,
  decodeFacilitatorRequest,
  encodeFacilitatorRequest,
  type FacilitatorRequest,
  type InspectContext,
  type RefusedPayment,
  requirementsId,
} from '@groat/core'
import type { Route, Routes } from './engine/route.js'
import type { Claim, SettlementRecord } from './journal/record.js'

/** A payment as it was presented for settlement, fully read and not yet looked up anywhere. */
export type Presentation = { readonly ok: true; readonly route: Route; readonly claim: Claim }

/**
 * Reads a payment against its terms, without a chain and without the journal. A refusal names the payer once there is one.
 *
 * @example
 * const presented = readPresentation({ payment, requirements }, routes, { now: clock(), minRemainingSeconds: 6 })
 */
export function readPresentation(
  request: FacilitatorRequest,
  routes: Routes,
  at: InspectContext,
): Presentation | (RefusedPayment & { readonly route?: Route }) {
  const { payment, requirements } = request
  const route = routes.find(requirements)
  if (!route.ok) return route
  const inspected = route.half.inspect(payment, requirements, at)
  if (!inspected.ok) return { ...inspected, route }
  const { pid, payer, expiresAt } = inspected
  const rid = requirementsId(requirements)
  const signer = route.signerOf(request)
  const claim = { pid, rid, payer, expiresAt, request, requestText: requestText(request) }
  return { ok: true, route, claim: signer === undefined ? claim : { ...claim, signer } }
}

/** The request that the journal has of a payment. */
export function storedRequest({ requestText }: SettlementRecord): FacilitatorRequest {
  const stored = decodeFacilitatorRequest(JSON.parse(requestText))
  if (!stored.ok) throw new TypeError('A request in the journal cannot be read')
  return stored.value
}

/**
 * Whether this is the payment that the journal has, with the payer's signature on it. Who knows only its identity, which anybody can read
 * off the chain, is not told that it was paid (FAC-050).
 */
export function isSamePayment(record: SettlementRecord, request: FacilitatorRequest, { half }: Route): boolean {
  // Archived: nothing is left to compare with.
  if (record.requestText === '') return false
  const proof = ({ payment, requirements }: FacilitatorRequest) =>
    half.proofOf?.(payment, requirements) ?? canonicalJson(payment.payload)
  return record.requestText === requestText(request) || proof(storedRequest(record)) === proof(request)
}

const texts = new WeakMap<FacilitatorRequest, string>()

/** Version 1 writes the resource into every offer; a request that was made in this process may have none. */
function requestText(request: FacilitatorRequest): string {
  const known = texts.get(request)
  if (known !== undefined) return known
  const { payment, requirements } = request
  const resource = request.resource ?? payment.resource ?? { url: 'about:blank' }
  const text = JSON.stringify(encodeFacilitatorRequest({ payment, requirements, resource }))
  texts.set(request, text)
  return text
}
