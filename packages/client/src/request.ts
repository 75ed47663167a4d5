import { type Fetch, headerNames, type OnEvent, type PaymentHeader, sha256Hex, X402Error } from '@groat/core'

/** What a caller may say beside what `fetch` knows. */
export type PayInit = RequestInit & {
  /**
   * Names the logical request: every call with this key, in any process that shares the store, presents one and the same payment.
   * Without it, calls with the same method, URL and body share a payment only until an answer was had.
   */
  readonly idempotencyKey?: string
  /** What the payment is for, to be kept with it: `task`, `principal`, `mandate`, or names of your own. Nobody else is told. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Told how this call gets on, beside the payer's own observer. */
  readonly onEvent?: OnEvent
  /** Carries this call in the place of the payer's own `fetch`: another transport, such as MCP, is one. */
  readonly fetch?: Fetch
}

/** A request that can be sent once more, with a payment. */
export type PayableRequest = {
  /** Without the fragment. */
  readonly url: URL
  readonly method: string
  readonly signal: AbortSignal | undefined
  readonly idempotencyKey: string | undefined
  readonly metadata: Readonly<Record<string, string>> | undefined
  /** Sends it the first time, exactly as the caller gave it. */
  readonly first: readonly [input: string | URL | Request, init: RequestInit]
  /** Whether it can be sent again: a stream cannot. */
  readonly replayable: boolean
  /** The bytes to send again. Throws `X402Error` `body_not_replayable` when the caller gave a stream. */
  readonly replay: () => Promise<Replay>
  /** Lets go of a held body that is not needed. */
  readonly forget: () => void
}

/** A request in a form that can be sent any number of times. */
export type Replay = {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer> | undefined
  /** Everything else the caller asked for: credentials, cache, a Node dispatcher, … */
  readonly init: RequestInit
  /** SHA-256 over method, URL and body: the same request has the same fingerprint in any process. */
  readonly fingerprint: string
}

/**
 * Takes hold of a request before it is sent, so that it can be sent again. Text, bytes, forms, blobs and `Request` objects are held;
 * a stream is not: it is sent once.
 * Throws `X402Error` `payment_already_attempted` when it carries a payment header.
 *
 * @example
 * const request = holdRequest('https://api.example/weather', {})
 * const response = await fetch(...request.first)
 */
export function holdRequest(
  input: string | URL | Request,
  { idempotencyKey, metadata, onEvent: _, fetch: __, ...init }: PayInit = {},
): PayableRequest {
  const request = input instanceof Request ? input : undefined
  const url = new URL(request?.url ?? String(input), globalThis.location?.href)
  url.hash = ''
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase()
  const headers = new Headers(init.headers ?? request?.headers)
  refusePaymentHeaders(headers)

  const body = bodyOf(request, init)
  let replayed: Promise<Replay> | undefined
  return {
    url,
    method,
    signal: init.signal ?? request?.signal,
    idempotencyKey,
    metadata,
    // A held Request keeps its body for the replay; the copy is sent.
    first: [request !== undefined && body.held === request ? request.clone() : input, init],
    forget: () => void body.held?.body?.cancel().catch(() => {}),
    replayable: !body.oneShot,
    replay: () => {
      replayed ??= replay()
      return replayed
    },
  }

  async function replay(): Promise<Replay> {
    if (body.oneShot) throw new X402Error('body_not_replayable', { method, url: printable(url) })
    const bytes = body.held && new Uint8Array(await body.held.arrayBuffer())
    const type = body.held?.headers.get('content-type')
    if (type && !headers.has('content-type')) headers.set('content-type', type)
    const fingerprint = sha256Hex(JSON.stringify([method, url.href, bytes ? digestOf(bytes, type) : '']))
    const { body: _body, ...rest } = init
    return { url, method, headers, body: bytes, init: { ...fieldsOf(request), ...rest }, fingerprint }
  }
}

/** A URL for people and logs: without query and credentials, which may be secret. */
export function printable(url: URL): string {
  return url.origin + url.pathname
}

/** The headers of a replay with its payment. */
export function withPayment(headers: Headers, payment: PaymentHeader | undefined): Headers {
  const all = new Headers(headers)
  if (payment !== undefined) all.set(payment.name, payment.value)
  return all
}

function refusePaymentHeaders(headers: Headers): void {
  for (const { payment } of Object.values(headerNames)) {
    if (headers.has(payment)) throw new X402Error('payment_already_attempted', { header: payment })
  }
}

type HeldBody = { readonly held?: Request | Response; readonly oneShot?: boolean }

/** `Response` is the platform's own way to take a snapshot of a body, with the content type that goes with it. */
function bodyOf(request: Request | undefined, { body }: RequestInit): HeldBody {
  if (body == null) return request?.body ? { held: request } : {}
  if (isStream(body)) return { oneShot: true }
  const held = new Response(body)
  // Node servers may put a lazy class in the place of the platform's; asked for its stream, it takes the body now.
  void held.body
  return { held }
}

function isStream(body: BodyInit): boolean {
  return typeof body === 'object' && (body instanceof ReadableStream || Symbol.asyncIterator in body)
}

/** A form's boundary is random: it is left out, so that the same form has the same digest. */
function digestOf(bytes: Uint8Array, type: string | null | undefined): string {
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)/i.exec(type ?? '')?.[1]
  if (boundary === undefined) return sha256Hex(bytes)
  return sha256Hex(new TextDecoder('latin1').decode(bytes).replaceAll(boundary, ''))
}

/** What a `Request` says beside method, headers and body. */
function fieldsOf(request: Request | undefined): RequestInit {
  if (request === undefined) return {}
  const { cache, credentials, integrity, keepalive, redirect, referrerPolicy } = request
  return { cache, credentials, integrity, keepalive, redirect, referrerPolicy }
}
