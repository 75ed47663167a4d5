import {
  decodePayment,
  encodeChallenge,
  type Fetch,
  isJsonObject,
  isNetwork,
  type Json,
  type JsonObject,
  networkByV1Name,
  type PaymentPayload,
  parseAtomic,
} from '@groat/core'
import { parseAddress } from '../address.js'
import { exactOnEvm } from '../exact/eip3009.js'
import { transferProofOnEvm } from '../transfer-proof/proof.js'
import { DIALECT_MARK, isHeaderText, PLAIN_HEADERS, plain } from './names.js'

/**
 * A `fetch` that speaks plain headers with sellers that speak nothing else: their 402 reads as a challenge, and the payment that answers it goes out as plain headers. An
 * opt-in: a payer speaks them only when this is the `fetch` that it is given; the policy holds as ever. A seller that sends the protocol's own challenge too is paid by that. Such sellers mostly send no
 * receipt: the outcome is `answered` then.
 *
 * @example
 * const payer = createPayer({ schemes: [exactEvm({ account })], fetch: plainHeadersFetch(fetch) })
 */
export function plainHeadersFetch(fetch: Fetch): Fetch {
  return async (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    const payment = decodePayment((name) => headers.get(name))
    if (payment?.ok && payment.value.accepted?.extra[DIALECT_MARK] === PLAIN_HEADERS) {
      headers.delete('payment-signature')
      for (const [name, value] of Object.entries(answerIn(payment.value))) headers.set(name, value)
      return readable(await fetch(input, { ...init, headers }), input)
    }
    return readable(await fetch(input, init), input)
  }
}

/** The same answer, with the protocol's own challenge where it has only a plain one. */
function readable(response: Response, input: Parameters<Fetch>[0]): Response {
  if (response.status !== 402 || response.headers.has('payment-required')) return response
  const challenge = challengeOf(response, urlOf(response, input))
  if (challenge === undefined) return response
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(challenge.headers)) headers.set(name, value)
  const same = new Response(response.body, { status: 402, statusText: response.statusText, headers })
  // A payer looks at where the challenge came from.
  return Object.defineProperty(same, 'url', { value: response.url })
}

function challengeOf({ headers }: Response, url: string) {
  if (!/^(true|1|yes)$/i.test(headers.get(plain.required) ?? '')) return undefined
  const name = headers.get(plain.network) ?? ''
  const network = isNetwork(name) ? name : networkByV1Name(name)
  const amount = parseAtomic(headers.get(plain.amount) ?? '')
  const [asset, payTo] = [plain.asset, plain.recipient].map((field) => parseAddress(headers.get(field) ?? ''))
  if (network === undefined || amount === undefined || asset === undefined || payTo === undefined) return undefined
  const seconds = parseAtomic(headers.get(plain.timeout) ?? '300') ?? 0n
  const maxTimeoutSeconds = Number(seconds < LONGEST_SECONDS ? seconds : LONGEST_SECONDS)
  const accepts = (headers.get(plain.accepts) ?? 'signature').split(',').map((word) => word.trim())
  const mark = { [DIALECT_MARK]: PLAIN_HEADERS }
  const given = (fields: Readonly<Record<string, string | null>>): JsonObject =>
    Object.fromEntries(Object.entries(fields).filter((field): field is [string, string] => field[1] !== null))
  const domain = given({ name: headers.get(plain.assetName), version: headers.get(plain.assetVersion) })
  const terms = { network, amount, asset, payTo, maxTimeoutSeconds }
  const offers = [
    ...(accepts.includes('signature') ? [{ ...terms, scheme: exactOnEvm.name, extra: { ...domain, ...mark } }] : []),
    ...(accepts.includes('hash')
      ? [
          {
            ...terms,
            scheme: transferProofOnEvm.name,
            extra: { ...given({ audience: headers.get(plain.audience) }), ...mark },
          },
        ]
      : []),
  ]
  if (offers.length === 0) return undefined
  // What a proof is bound to is what the seller calls it, of the very origin that was asked.
  const called = headers.get(plain.resource) ?? url
  const resource = { url: URL.canParse(called) && new URL(called).origin === new URL(url).origin ? called : url }
  return encodeChallenge({ error: 'payment_required', resource, accepts: offers })
}

/** Seconds; more than that is no time to sign for. */
const LONGEST_SECONDS = 86_400n

/** A payment as plain headers. */
function answerIn({ scheme, network, accepted, payload }: PaymentPayload): Readonly<Record<string, string>> {
  if (scheme === transferProofOnEvm.name) {
    return texts({
      [plain.hash]: payload.transaction,
      [plain.signature]: payload.signature,
      [plain.payer]: payload.from,
      [plain.network]: network,
      [plain.validBefore]: payload.validBefore,
    })
  }
  const signed = isJsonObject(payload.authorization) ? payload.authorization : {}
  return texts({
    [plain.signature]: payload.signature,
    [plain.amount]: signed.value,
    [plain.asset]: accepted?.asset,
    [plain.network]: network,
    [plain.nonce]: signed.nonce,
    [plain.payer]: signed.from,
    [plain.validAfter]: signed.validAfter,
    [plain.validBefore]: signed.validBefore,
  })
}

function texts(fields: Readonly<Record<string, Json | undefined>>): Readonly<Record<string, string>> {
  const known = Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === 'string')
  return Object.fromEntries(known.filter(([, value]) => isHeaderText(value)))
}

function urlOf({ url }: Response, input: Parameters<Fetch>[0]): string {
  if (url !== '') return url
  return input instanceof Request ? input.url : String(input)
}
