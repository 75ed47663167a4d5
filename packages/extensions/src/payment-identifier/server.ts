import {
  canonicalAddress,
  comparableBody,
  decodePayment,
  type ExtensionServer,
  encodePayment,
  extensionInfo,
  type GuardedPayment,
  isJsonObject,
  type JsonObject,
  networkFamily,
  type PaymentPayload,
  refuse,
  X402Error,
} from '@groat/core'
import { fingerprintOf } from './fingerprint.js'
import type { IdentifierRow, Identifiers } from './identifiers.js'
import { paymentIdentifier, WIRE_SCHEMA } from './payment-identifier.js'

export { fingerprintOf, type IdentifiedRequest } from './fingerprint.js'
export { type IdentifierRow, type Identifiers, memoryIdentifiers } from './identifiers.js'

/** What a seller needs for named payments. */
export type IdentifierOptions = {
  /** Where names are kept: `sqlIdentifiers(…)`, shared by all replicas, or `memoryIdentifiers()` in one process. */
  readonly store: Identifiers
}

/**
 * The seller's half of `payment-identifier`: a payment that bears the name of an earlier one for the same request is answered by what became of that
 * one, and is never settled itself; for another request it is refused with 409 (`payment_identifier_conflict`). Names count only once the facilitator
 * has verified the payment that bears them (EXT-ID-006), and each payer has its own. A route declares it as `true`, or `{ required: true }`.
 *
 * @example
 * const paid = paywall({ ...shop, extensions: [paymentIdentifiers({ store: memoryIdentifiers() })] })
 * app.post('/orders', paid({ price: '$1', extensions: { 'payment-identifier': { required: true } } }), order)
 */
export function paymentIdentifiers({ store }: IdentifierOptions): ExtensionServer {
  return {
    extension: paymentIdentifier,
    declare: (options) => {
      const required = readRequired(options)
      return {
        announce: { info: { required }, schema: WIRE_SCHEMA },
        inspect: ({ extensions }) => {
          const id = extensionInfo(extensions, KEY)?.id
          if (id === undefined) return required ? refuse('payment_identifier_required') : undefined
          return isIdentifier(id) ? undefined : refuse('payment_identifier_invalid')
        },
        guard: async (payment) => {
          const id = extensionInfo(payment.payment.extensions, KEY)?.id
          if (!isIdentifier(id)) return undefined
          const row = await rowOf(id, payment)
          if (row === undefined) return unreadable()
          const known = await store.bind(row)
          if (known.fingerprint !== row.fingerprint) return refuse('payment_identifier_conflict')
          if (known.pid === row.pid) return undefined
          const earlier = readPayment(known.payment)
          return { ok: true, earlier, replace: () => store.replace(row, known.pid) }
        },
        resume: async (payment) => {
          const id = extensionInfo(payment.payment.extensions, KEY)?.id
          if (!isIdentifier(id)) return undefined
          const row = await rowOf(id, payment)
          if (row === undefined) return unreadable()
          const known = await store.bind(row)
          return known.fingerprint === row.fingerprint ? undefined : refuse('payment_identifier_conflict')
        },
      }
    },
  }
}

const KEY = paymentIdentifier.key

/** Milliseconds for which a name is remembered after its payment has expired: for so long claims of payments are kept too. */
const KEEP_MS = 30 * 24 * 3_600_000

const isIdentifier = (id: unknown): id is string => typeof id === 'string' && /^[a-zA-Z0-9_-]{16,128}$/.test(id)

const unreadable = () => refuse('request_too_large', 'the body cannot be read to name the request by')

function readRequired(options: unknown): boolean {
  if (options === true) return false
  const { required = false, ...others } = isJsonObject(options) ? options : { required: null }
  if (typeof required === 'boolean' && Object.keys(others).length === 0) return required
  throw new X402Error('invalid_config', { field: `extensions.${KEY}`, reason: 'true, or { required: true }' })
}

async function rowOf(id: string, guarded: GuardedPayment): Promise<IdentifierRow | undefined> {
  const { pid, payer, payment, requirements, resource, request, expiresAt } = guarded
  const bytes = request.body === undefined ? new Uint8Array() : await request.body()
  if (bytes === undefined) return undefined
  const body = comparableBody(bytes, request.header('content-type'))
  const [, query = ''] = /(\?[^#]*)/.exec(request.url) ?? []
  const { method } = request
  return {
    payer: `${networkFamily(requirements.network)}:${canonicalAddress(payer)}`,
    id,
    fingerprint: fingerprintOf({ method, url: resource.url + query, body, payer, requirements }),
    pid,
    payment: writePayment(payment),
    keepUntil: expiresAt * 1000 + KEEP_MS,
  }
}

function writePayment(payment: PaymentPayload): string {
  const { name, value } = encodePayment(payment)
  return JSON.stringify({ name, value } satisfies JsonObject)
}

function readPayment(text: string): PaymentPayload {
  const header: unknown = JSON.parse(text)
  const decoded = isJsonObject(header)
    ? decodePayment((name) => (name === header.name ? String(header.value) : null))
    : undefined
  if (decoded?.ok) return decoded.value
  throw new X402Error('store_unavailable', { reason: 'corrupt' })
}
