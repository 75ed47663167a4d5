import {
  decodeHeaderObject,
  encodeHeaderObject,
  headerNames,
  isJsonObject,
  type JsonObject,
  PROBLEM_TYPE,
  type X402Version,
} from '@groat/core'
import { ENTITLEMENT_HEADER } from './entitled.js'

/** What a request of another transport than HTTP brings, from where that transport keeps it. */
export type Carried = {
  /** `PaymentPayload`, of either version. */
  readonly payment?: unknown
  /** The same as the base64 text of the version 1 header, where there is no object. */
  readonly paymentText?: unknown
  /** What was bought beyond one answer. */
  readonly entitlement?: unknown
}

/** What the gate said, for a transport that has no statuses and headers. */
export type GateAnswer = {
  /** `SettleResponse`. */
  readonly receipt?: JsonObject
  readonly entitlement?: string
} & (
  | { readonly type: 'work'; readonly status: number; readonly body: JsonObject }
  | { readonly type: 'payment-required'; readonly required: JsonObject }
  /** Neither sold nor refused: nobody knows yet, or something is down. `retryAfter`, in seconds, is a member of it. */
  | { readonly type: 'problem'; readonly problem: JsonObject }
)

/**
 * The headers by which the gate reads what another transport carries as objects, and the version to answer in. What is no payment becomes a header
 * that no codec reads, so that the gate refuses it by name.
 *
 * @example
 * const { headers, version } = carriedHeaders({ payment: request.params._meta?.['x402/payment'] })
 */
export function carriedHeaders({ payment, paymentText, entitlement }: Carried): {
  readonly headers: Headers
  readonly version: X402Version
} {
  const headers = new Headers()
  if (typeof entitlement === 'string' && /^[ -~]{1,1024}$/.test(entitlement))
    headers.set(ENTITLEMENT_HEADER, entitlement)
  if (payment !== undefined && payment !== null) {
    const version = isJsonObject(payment) && payment.x402Version === 1 ? 1 : 2
    headers.set(headerNames[version].payment, isJsonObject(payment) ? encodeHeaderObject(payment) : UNREADABLE)
    return { headers, version }
  }
  if (typeof paymentText !== 'string') return { headers, version: 2 }
  headers.set(headerNames[1].payment, /^[!-~]+$/.test(paymentText) ? paymentText : UNREADABLE)
  return { headers, version: 1 }
}

/**
 * Reads the gate's answer, whose work is a JSON object. A challenge is of the version of the payment that it answers.
 *
 * @example
 * const said = await readGateAnswer(await handle(new Request(url, { headers })), version)
 */
export async function readGateAnswer(response: Response, version: X402Version): Promise<GateAnswer> {
  const { headers, status } = response
  const text = await response.text()
  const parsed: unknown = text === '' ? {} : JSON.parse(text)
  const body = isJsonObject(parsed) ? parsed : {}
  const receipt = decodeHeaderObject(headers.get(headerNames[2].response) ?? headers.get(headerNames[1].response))
  const entitlement = headers.get(ENTITLEMENT_HEADER)
  const beside = { ...(receipt && { receipt }), ...(entitlement !== null && { entitlement }) }
  if (status === 402 || (status === 412 && headers.has('PAYMENT-REQUIRED'))) {
    const { x402Version, error, accepts } = body
    const isOlder = version === 1 && x402Version === 1
    const required = isOlder ? { x402Version, error, accepts } : decodeHeaderObject(headers.get('PAYMENT-REQUIRED'))
    return { ...beside, type: 'payment-required', required: required ?? {} }
  }
  if (headers.get('content-type')?.startsWith(PROBLEM_TYPE)) {
    const retryAfter = headers.get('retry-after')
    return {
      ...beside,
      type: 'problem',
      problem: retryAfter === null ? body : { ...body, retryAfter: Number(retryAfter) },
    }
  }
  return { ...beside, type: 'work', status, body }
}

/** No base64. */
const UNREADABLE = '!'
