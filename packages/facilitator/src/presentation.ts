import { createHash } from 'node:crypto'
import {
  canonicalJson,
  encodeFacilitatorRequest,
  type FacilitatorRequest,
  type PaymentPayload,
  type Refusal,
  requirementsId,
} from '@groat/core'
import type { Route, Routes } from './engine/route.js'
import type { Claim } from './journal/record.js'

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
  at: { readonly now: number; readonly minRemainingSeconds: number },
): Presentation | (Refusal & { readonly route?: Route; readonly payer?: string }) {
  const { payment, requirements } = request
  const route = routes.find(requirements)
  if (!route.ok) return route
  const inspected = route.half.inspect(payment, requirements, at)
  if (!inspected.ok) return { ...inspected, route }
  const { pid, payer, expiresAt } = inspected
  const rid = requirementsId(requirements)
  const requestText = JSON.stringify(encodeFacilitatorRequest(withResource(request)))
  return {
    ok: true,
    route,
    claim: { pid, rid, payer, expiresAt, request, requestText, digest: paymentDigest(payment) },
  }
}

/**
 * A payment by what was signed, as it was written: under this it is found again when it is too old to be read.
 * Another spelling of it has another digest; identity is the scheme's to say.
 */
export function paymentDigest({ scheme, network, payload }: PaymentPayload): string {
  return createHash('sha256')
    .update(canonicalJson([scheme, network, payload]))
    .digest('hex')
}

/** Version 1 writes the resource into every offer; a request that was made in this process may have none. */
function withResource(request: FacilitatorRequest): FacilitatorRequest {
  const resource = request.resource ?? request.payment.resource
  return { ...request, resource: resource ?? { url: 'about:blank' } }
}
