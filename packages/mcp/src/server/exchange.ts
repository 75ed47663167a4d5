import { isJsonObject, type JsonObject, PROBLEM_TYPE, type X402Version } from '@groat/core'
import {
  CHALLENGE_HEADER,
  decodeHeader,
  ENTITLEMENT_HEADER,
  encodeHeader,
  isPaymentRequired,
  type Meta,
  metaKeys,
  paymentHeader,
  receiptHeader,
  UNREADABLE,
  without,
} from '../wire.js'

/** How the payment of one request came, so that it is answered in kind. */
export type Asked = {
  readonly headers: Headers
  readonly version: X402Version
  /** It came under the key of before the specification. */
  readonly old: boolean
}

/** What the gate said, as a value of this transport. */
export type Said =
  /** The work's own result, with the receipt in its `_meta`. */
  | { readonly type: 'result'; readonly result: JsonObject; readonly meta: Meta }
  | { readonly type: 'payment-required'; readonly required: JsonObject; readonly meta: Meta }
  /** Neither sold nor refused: nobody knows yet, or something is down. */
  | { readonly type: 'problem'; readonly problem: JsonObject; readonly meta: Meta }

/** The payment in `_meta`, as the gate reads it. A request without one has no payment headers. */
export function readAsked(meta: Meta | undefined): Asked {
  const headers = new Headers()
  const entitlement = meta?.[metaKeys.entitlement]
  if (typeof entitlement === 'string' && /^[!-~ ]{1,1024}$/.test(entitlement))
    headers.set(ENTITLEMENT_HEADER, entitlement)
  const payment = meta?.[metaKeys.payment]
  if (payment !== undefined && payment !== null) {
    const version = isJsonObject(payment) && payment.x402Version === 1 ? 1 : 2
    headers.set(paymentHeader(version), isJsonObject(payment) ? encodeHeader(payment) : UNREADABLE)
    return { headers, version, old: false }
  }
  const old = meta?.[metaKeys.oldPayment]
  if (typeof old !== 'string') return { headers, version: 2, old: false }
  headers.set(paymentHeader(1), /^[!-~]+$/.test(old) ? old : UNREADABLE)
  return { headers, version: 1, old: true }
}

/** Reads what the gate answers. The challenge is of the version of the payment that it answers. */
export async function readSaid(response: Response, { version, old }: Asked): Promise<Said> {
  const { headers, status } = response
  const body = objectIn(await response.text())
  const meta = metaOf(headers, old)
  if (status === 402) {
    const newer = decodeHeader(headers.get(CHALLENGE_HEADER)) ?? {}
    const required = version === 1 && isPaymentRequired(body) ? membersOfV1(body) : newer
    return { type: 'payment-required', required, meta }
  }
  if (headers.get('content-type')?.startsWith(PROBLEM_TYPE)) {
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
    return { type: 'problem', problem: Number.isNaN(retryAfter) ? body : { ...body, retryAfter }, meta }
  }
  return { type: 'result', result: body, meta }
}

/** The work's result with what the gate says beside it: nobody else speaks under its keys. */
export function withMeta<T extends object>(result: T, meta: Meta): T {
  const { _meta: said, ...rest }: { readonly _meta?: unknown } = result
  const own = without(isJsonObject(said) ? said : undefined, Object.values(metaKeys))
  const all = { ...own, ...meta }
  // The members are those of `T`; `_meta` is optional in it.
  return (Object.keys(all).length === 0 ? rest : { ...rest, _meta: all }) as T
}

function metaOf(headers: Headers, old: boolean): Meta {
  const receipt = decodeHeader(headers.get(receiptHeader(2))) ?? decodeHeader(headers.get(receiptHeader(1)))
  const entitlement = headers.get(ENTITLEMENT_HEADER)
  return {
    ...(receipt && { [metaKeys.receipt]: receipt }),
    ...(receipt && old && { [metaKeys.oldReceipt]: receipt }),
    ...(entitlement !== null && { [metaKeys.entitlement]: entitlement }),
  }
}

/** The body of a 402 has the version 1 challenge, and beside it the members of a problem. */
function membersOfV1({ x402Version, error, accepts }: JsonObject): JsonObject {
  return { x402Version, error, accepts }
}

function objectIn(text: string): JsonObject {
  const value: unknown = text === '' ? {} : JSON.parse(text)
  return isJsonObject(value) ? value : {}
}
