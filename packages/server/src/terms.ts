import {
  asciiJson,
  type ErrorCode,
  encodeChallenge,
  errorInfo,
  type GetHeader,
  type HeaderDialect,
  type JsonObject,
  type PaymentHeader,
  problem,
  type Refusal,
  type ResourceInfo,
} from '@groat/core'
import type { Answer } from './answer.js'
import type { Offer } from './offers.js'

/** What the gate, and a price function, can see of a request. */
export type GateRequest = {
  readonly method: string
  /** The URL that was asked for, with its query; absolute, or from the path on. */
  readonly url: string
  readonly header: GetHeader
  /** Where it comes from, as far as the framework knows: an IP address. */
  readonly address?: string | undefined
  /** The bytes of its body, which the handler can read all the same; `undefined` where they are too many, or cannot be had without taking them. */
  readonly body?: (() => Promise<Uint8Array | undefined>) | undefined
}

/** A 402, in the simplest form that frameworks take; 412 where the payer has to approve first. */
export type Challenge = Answer & {
  readonly status: 402 | 412
  readonly headers: Record<string, string>
  readonly body: string
}

/** What is sold by one request, and for what. */
export type Terms = {
  readonly resource: ResourceInfo
  readonly offers: readonly Offer[]
  /** Offers that are made no more, and are answered a last time. */
  readonly outgoing: readonly Offer[]
  /** What extensions announce. */
  readonly extensions: JsonObject
  /** What dialects say of it beside the protocol's own challenge: headers by lower-case name. */
  readonly spoken: Readonly<Record<string, string>>
  /** The dialects that say it. */
  readonly dialects: readonly HeaderDialect[]
  /** The 402 of a request without a payment, encoded once. */
  readonly challenge: Challenge
}

/** The terms of a resource. */
export function createTerms(
  resource: ResourceInfo,
  offers: readonly Offer[],
  outgoing: readonly Offer[] = [],
  announced: JsonObject = {},
  dialects: readonly HeaderDialect[] = [],
): Terms {
  const extensions: JsonObject = Object.assign({}, ...offers.map((offer) => offer.extensions), announced)
  const said = { resource, offers: offers.map(({ requirements }) => requirements) }
  const spoken = Object.assign({}, ...dialects.map((dialect) => dialect.announce(said)))
  const challenge = challengeAnswer({ resource, offers, extensions, spoken, dialects }, 'payment_required')
  return { resource, offers, outgoing, extensions, spoken, dialects, challenge }
}

/** The same terms, announcing other extensions. */
export function announcing(terms: Terms, extensions: JsonObject): Terms {
  return { ...terms, extensions, challenge: challengeAnswer({ ...terms, extensions }, 'payment_required') }
}

/** What the payer of one offer has to know before it pays again. */
export type Correction = { readonly offer: Offer; readonly extra: JsonObject }

/**
 * A 402 that says why the payment was refused, with the offers again. The code alone stands in the challenge's `error` (HTTP-041);
 * what else there is to say stands beside the version 1 members of the body, as the members of an RFC 9457 problem.
 */
export function refusalAnswer(
  terms: Terms,
  refusal: Refusal,
  receipt?: PaymentHeader,
  correction?: Correction,
): Challenge {
  const { code, detail } = refusal
  const status = receipt === undefined && isForApproval(code) ? 412 : 402
  const answer = challengeAnswer(terms, code, { status, detail, correction })
  return receipt === undefined ? answer : { ...answer, headers: { ...answer.headers, [receipt.name]: receipt.value } }
}

/** Whether the payer has to let Permit2 take its tokens first (HTTP-066). */
export const isForApproval = (code: ErrorCode): boolean => errorInfo(code).status === 412

/**
 * `resource.url` of a request: the configured origin, or else the request's own, and the path. The query is left out: two requests
 * that differ in it are one resource with one challenge, and what a buyer asks in it is nobody else's business.
 */
export function resourceUrl(url: string, origin: string | undefined): string {
  const bare = withoutQuery(url)
  return origin === undefined ? bare : origin + pathOf(bare)
}

/** A URL without query and fragment. */
export function withoutQuery(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

/** What is asked for, without the origin: path and query. */
export function pathOf(url: string): string {
  if (url.startsWith('/')) return url
  const path = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
  return path.startsWith('/') ? path : `/${path}`
}

type Said = {
  readonly status?: Challenge['status']
  readonly detail?: string | undefined
  readonly correction?: Correction | undefined
}

function challengeAnswer(
  { resource, offers, extensions, spoken, dialects }: Omit<Terms, 'outgoing' | 'challenge'>,
  code: ErrorCode,
  { status = 402, detail, correction }: Said = {},
): Challenge {
  const accepts = offers.map((offer) => {
    const { requirements } = offer
    if (offer !== correction?.offer) return requirements
    return { ...requirements, extra: { ...requirements.extra, ...correction.extra } }
  })
  const announced = Object.keys(extensions).length > 0 ? { extensions } : {}
  const { headers, body } = encodeChallenge({ error: code, resource, accepts, ...announced })
  const refused = code === 'payment_required' ? [] : dialects.map((dialect) => dialect.refuse?.(code))
  // A code that elsewhere has another status is the reason for this 402.
  const why = asciiJson({ ...problem(code, { detail }), status })
  return {
    status,
    headers: {
      ...headers,
      ...spoken,
      ...Object.assign({}, ...refused),
      'content-type': 'application/json',
      'cache-control': 'no-store',
    },
    body: body === '{}' ? why : `${body.slice(0, -1)},${why.slice(1)}`,
  }
}
