import { asciiJson, DEFAULT_RETRY_AFTER, type ErrorCode, headerNames, PROBLEM_TYPE, problem } from '@groat/core'

/** Header values by lower-case name; a list where a header stands more than once, as `set-cookie` may. */
export type HeaderFields = Readonly<Record<string, string | readonly string[]>>

/**
 * Everything that the work, or the gate in its place, wants to do to the response, as one value: nothing of it leaves before all of
 * it may. Headers are changes to what earlier middleware had set, so that those survive whoever answers.
 */
export type Answer = {
  readonly status: number
  readonly headers: HeaderFields
  /** Names of earlier headers that were taken away. */
  readonly removed?: readonly string[]
  readonly body: string | Uint8Array<ArrayBuffer>
  readonly trailers?: HeaderFields
  /** Atomic units that the work charges, as decimal text, where that is not the whole offer. Never sent. */
  readonly charged?: string
}

/** Headers as a framework holds them. */
export interface HeaderTable {
  get(name: string): string | null | undefined
  set(name: string, value: string | readonly string[]): void
  delete(name: string): void
}

/** Statuses that never have a body. */
export const NULL_BODY_STATUSES: ReadonlySet<number> = new Set([204, 205, 304])

/** What the work changed, as an answer keeps it: without the headers that belong to the protocol or to one connection. */
export function changedHeaders(before: HeaderFields, after: HeaderFields): Pick<Answer, 'headers' | 'removed'> {
  const headers: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(after)) {
    if (!NEVER_KEPT.has(name) && !sameValue(before[name], value)) headers[name] = value
  }
  const removed = Object.keys(before).filter((name) => after[name] === undefined)
  return removed.length === 0 ? { headers } : { headers, removed }
}

/** Makes the headers of a response those of an answer. */
export function applyHeaders(answer: Answer, onto: HeaderTable): void {
  for (const name of answer.removed ?? []) onto.delete(name)
  for (const [name, value] of Object.entries(answer.headers)) onto.set(name, value)
}

/**
 * Keeps what was paid for out of shared caches (HTTP-061, HTTP-062): the key of a cached answer must include the payment, and no
 * directive of the work may make it public again.
 */
export function makePrivate(headers: HeaderTable): void {
  const caching = headers.get('cache-control')
  headers.set('cache-control', caching ? privateCaching(caching) : 'private')
  const vary = headers.get('vary')
  headers.set('vary', vary ? withPaymentHeaders(vary) : PAYMENT_HEADERS.join(', '))
  for (const name of SHARED_CACHE_HEADERS) headers.delete(name)
}

/** Takes away what only the gate may say (SRV-017). Tells whether there was anything. */
export function stripProtocolHeaders(headers: HeaderTable): boolean {
  const found = PROTOCOL_HEADERS.filter((name) => headers.get(name) != null)
  for (const name of found) headers.delete(name)
  return found.length > 0
}

/** A refusal or a fault that is no challenge: an RFC 9457 problem. */
export function problemAnswer(
  code: ErrorCode,
  {
    headers = {},
    retryAfter,
    ...words
  }: {
    readonly headers?: HeaderFields
    /** Seconds. */
    readonly retryAfter?: number
    readonly detail?: string
    readonly reference?: string
  } = {},
): Answer {
  const body = problem(code, words)
  const seconds = retryAfter ?? (body.retry === 'never' ? undefined : DEFAULT_RETRY_AFTER)
  return {
    status: body.status,
    headers: {
      'content-type': PROBLEM_TYPE,
      'cache-control': 'no-store',
      ...(seconds === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(seconds))) }),
      ...headers,
    },
    body: asciiJson(body),
  }
}

const PROTOCOL_HEADERS = [headerNames[2].required, headerNames[2].response, headerNames[1].response].flatMap((name) =>
  name === undefined ? [] : [name.toLowerCase()],
)
const CONNECTION_HEADERS = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']
const NEVER_KEPT: ReadonlySet<string> = new Set([...PROTOCOL_HEADERS, ...CONNECTION_HEADERS])
const SHARED_CACHE_HEADERS = [
  'surrogate-control',
  'cdn-cache-control',
  'cloudflare-cdn-cache-control',
  'vercel-cdn-cache-control',
]
const PAYMENT_HEADERS = [headerNames[2].payment, headerNames[1].payment]

/** Commas that do not stand inside quotes. */
const LIST_COMMA = /,(?=(?:[^"]*"[^"]*")*[^"]*$)/

function privateCaching(value: string): string {
  const directives = value
    .split(LIST_COMMA)
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '' && !/^(public|s-maxage|private)\b/i.test(directive))
  return directives.some((directive) => /^no-store$/i.test(directive))
    ? directives.join(', ')
    : ['private', ...directives].join(', ')
}

function withPaymentHeaders(value: string): string {
  const names = value
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (names.includes('*')) return '*'
  const known = new Set(names.map((name) => name.toLowerCase()))
  return [...names, ...PAYMENT_HEADERS.filter((name) => !known.has(name.toLowerCase()))].join(', ')
}

function sameValue(a: string | readonly string[] | undefined, b: string | readonly string[]): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && a.join('\n') === b.join('\n'))
}
