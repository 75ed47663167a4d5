import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { type Fetch, X402Error } from '@groat/core'
import type { Dispatcher } from 'undici'
import { isAddress } from '../buyer/private-address.js'
import type { Resolve } from '../buyer/spending-guard.js'
import { drain } from '../challenge.js'
import type { PaymentOutcome } from '../outcome.js'
import type { Payer } from '../payer.js'
import type { PayInit } from '../request.js'
import { type PinnedNames, pinnedNames } from './pinned-names.js'
import { type Answer, answered, type DispatchOptions, isRedirect, play } from './undici-wire.js'

export { isInside } from '../buyer/private-address.js'
export { type PinnedNames, type PinnedNamesOptions, pinnedNames } from './pinned-names.js'

/** How an undici dispatcher pays. */
export type PayingDispatcherOptions = {
  /** Most bytes of a request body that are held to be sent again; larger ones are sent once and never paid for. Default 10 MiB. */
  readonly maxReplayBytes?: number
  /** Origin of requests that name none: those of a `Client` or a `Pool`. */
  readonly origin?: string
  /**
   * Names for the policy and for the sockets; its own `pinnedNames()` unless told. `false`: whoever connects looks names up by itself, as a proxy does, and a
   * name may lead inside by the time it is connected to.
   */
  readonly names?: PinnedNames | false
}

/** What a caller may say in the options of a request beside what undici knows. */
export type UndiciPayOptions = Pick<PayInit, 'idempotencyKey' | 'metadata'>

/** A dispatcher's way to pay. */
export type PayingDispatcher = {
  /** For the `Agent`, `Client` or `Pool` below: its sockets are given the addresses that the policy has looked at. */
  readonly connect: { readonly lookup?: LookupFunction }
  /** For `compose`. A redirect interceptor stands before it, so that a 402 is known to come from another origin than the one that was asked. */
  readonly interceptor: Dispatcher.DispatcherComposeInterceptor
  /** How payment went for an answer of `request`; `undefined` when none was asked for. */
  readonly outcome: (answer: { readonly context: object }) => PaymentOutcome | undefined
}

/**
 * Makes undici dispatchers pay, whatever asks through them: `request`, `stream`, `pipeline`, `fetch`. A request that is asked to pay is sent again by
 * the same dispatcher, to the same origin only; text, bytes and forms are held for that up to `maxReplayBytes`. What can be sent once only (streams, iterables,
 * every body of `fetch`) is sent once: when it is asked to pay, the request fails with `X402Error` `body_not_replayable`. A 402 that the policy
 * refuses comes back as it is, and so does one behind a redirect to another origin. Connections that are upgraded are passed on.
 *
 * The first argument makes the payer over the transport it is given: `createPayer`, or `createBuyer` with `resolve`. What `resolve` has looked at is what is
 * connected to, where the dispatcher has `connect`; where it has not, a request to a name that is asked to pay fails with `X402Error` `invalid_config`.
 *
 * @example
 * const paying = payWithUndici((fetch, { resolve }) => createBuyer({ schemes: [exactEvm({ account })], fetch, resolve }))
 * const dispatcher = new Agent({ connect: paying.connect }).compose(paying.interceptor)
 * const answer = await request('https://api.example/weather', { dispatcher })
 * paying.outcome(answer)?.status
 */
export function payWithUndici(
  makePayer: (fetch: Fetch, names: { readonly resolve: Resolve }) => Pick<Payer, 'fetch' | 'outcome'>,
  { maxReplayBytes = 10_485_760, origin, names = pinnedNames() }: PayingDispatcherOptions = {},
): PayingDispatcher {
  const answers = new WeakMap<Response, Answer>()
  const payer = makePayer(transport(answers, names), { resolve: names ? names.resolve : resolveBySystem })
  const moved = movedTargets()

  return {
    connect: names ? { lookup: names.lookup } : {},

    interceptor: (dispatch) => (options: DispatchOptions & UndiciPayOptions, handler) => {
      const url = urlOf(options, origin)
      if (url === undefined || options.upgrade || options.method === 'CONNECT') return dispatch(options, handler)
      const { idempotencyKey, metadata, body } = options
      const payment: { outcome?: PaymentOutcome } = {}
      const isMoved = moved.take(url)
      play(handler, { [PAYMENT]: payment }, async (signal) => {
        const call = { options, dispatch }
        const init: CallInit = {
          [CALL]: call,
          ...{ method: options.method, headers: headersOf(options), signal },
          ...(body != null && { body: replayable(body, maxReplayBytes) }),
          ...(idempotencyKey !== undefined && { idempotencyKey }),
          ...(metadata !== undefined && { metadata }),
        }
        const answer = isMoved
          ? await answered(dispatch, options, signal)
          : answers.get(await payer.fetch(url, init).then(keepOutcome))
        if (answer === undefined) throw new TypeError('the payer answered what the transport did not')
        // Whoever asks next, because of this answer, asks where the caller has not asked.
        if (isMoved && answer.response.status === 402) payment.outcome = behindRedirect
        moved.keep(url, answer.response, isMoved)
        return answer
      })
      return true

      function keepOutcome(response: Response): Response {
        const outcome = payer.outcome(response)
        if (outcome !== undefined) payment.outcome = outcome
        return response
      }
    },

    outcome: ({ context }: { readonly context: { readonly [PAYMENT]?: { readonly outcome?: PaymentOutcome } } }) =>
      context[PAYMENT]?.outcome,
  }
}

/** Where the outcome stands in the context of a request: a box, because whoever copies the context does so before there is one. */
const PAYMENT: unique symbol = Symbol('payment')

/** Which dispatch a request of the payer belongs to. It travels in the init, which the payer hands on untouched. */
const CALL: unique symbol = Symbol('undici call')

type CallInit = PayInit & {
  readonly [CALL]: { readonly options: DispatchOptions; readonly dispatch: Dispatcher.Dispatch }
}

const behindRedirect: PaymentOutcome = { status: 'unpaid', code: 'cross_origin_redirect', refusals: [] }

/** The fetch under the payer: each request goes out by the dispatch that it belongs to. */
function transport(answers: WeakMap<Response, Answer>, names: PinnedNames | false): Fetch {
  return async (input, init) => {
    // Nobody but the interceptor calls the payer, and it always says which call.
    const { [CALL]: call, ...rest } = init as CallInit
    const { options, dispatch } = call
    const again = rest.redirect === 'manual'
    const answer = await answered(dispatch, again ? repeated(options, String(input), rest) : options, rest.signal)
    const { response } = answer
    // Before anything is signed: the sockets have to go where the policy looks.
    if (names && response.status === 402 && !again && !isConnected(response.url || String(input), names)) {
      drain(response, DRAIN_MS)
      throw new X402Error('invalid_config', { field: 'connect', problem: 'is not that of the paying dispatcher' })
    }
    answers.set(response, answer)
    return response
  }
}

const DRAIN_MS = 1_000

function isConnected(url: string, names: PinnedNames): boolean {
  const { hostname } = new URL(url)
  return isAddress(hostname) || hostname === 'localhost' || names.isConnected(hostname)
}

const resolveBySystem: Resolve = async (name) => (await lookup(name, { all: true })).map(({ address }) => address)

/** The same request with the headers and the body of the payer. Nobody below follows where a payment is redirected. */
function repeated(options: DispatchOptions, target: string, { method, headers, body }: RequestInit): DispatchOptions {
  const { origin, pathname, search } = new URL(target)
  const own = urlOf(options, origin)
  return {
    ...options,
    // A URL that has not changed is asked for as it was written.
    ...(own?.href === target ? {} : { origin, path: pathname + search, query: {} }),
    ...(method !== undefined && { method }),
    headers: Object.fromEntries(new Headers(headers)),
    body: typeof body === 'string' || body instanceof Uint8Array ? body : null,
    maxRedirections: 0,
  }
}

/** The path is joined as text: one that begins with two slashes names no host here. */
function urlOf({ origin, path, query }: DispatchOptions, fallback: string | undefined): URL | undefined {
  const base = origin ?? fallback
  if (base === undefined || !path.startsWith('/')) return undefined
  const text = `${new URL(base).origin}${path}`
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.append(name, String(value))
  return url
}

function headersOf({ headers }: DispatchOptions): Headers {
  const all = new Headers()
  const add = (name: string, value: unknown) => {
    for (const one of Array.isArray(value) ? value : [value]) if (one != null) all.append(name, String(one))
  }
  if (Array.isArray(headers) && headers.every((each) => typeof each === 'string')) {
    for (let at = 0; at < headers.length; at += 2) add(headers[at] ?? '', headers[at + 1])
  } else if (headers && Symbol.iterator in headers) {
    for (const entry of headers) if (Array.isArray(entry)) add(String(entry[0]), entry[1])
  } else {
    for (const [name, value] of Object.entries(headers ?? {})) add(name, value)
  }
  return all
}

/** The body as the payer can hold it. A stream stands for everything that is sent once. */
function replayable(body: unknown, maxBytes: number): BodyInit {
  if (typeof body === 'string') return Buffer.byteLength(body) > maxBytes ? onceOnly() : body
  if (ArrayBuffer.isView(body)) {
    const bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
    return bytes.byteLength > maxBytes ? onceOnly() : Uint8Array.from(bytes)
  }
  const form = isForm(body) ? copied(body) : undefined
  return form !== undefined && form.bytes <= maxBytes ? form.copy : onceOnly()
}

/** undici's form is not the platform's, and only the platform's can be held by it. */
function copied(form: Iterable<[string, string | File]>) {
  const copy = new FormData()
  let bytes = 0
  for (const [name, value] of form) {
    bytes += typeof value === 'string' ? Buffer.byteLength(value) : value.size
    if (typeof value === 'string') copy.append(name, value)
    else copy.append(name, value, value.name)
  }
  return { copy, bytes }
}

function isForm(body: unknown): body is Iterable<[string, string | File]> {
  return Object.prototype.toString.call(body) === '[object FormData]'
}

const onceOnly = () => new ReadableStream<Uint8Array>()

/**
 * Where answers have redirected to another origin, and where those redirect in turn: whoever follows them outside (`fetch` does) asks there as if of its own
 * accord. Each is kept until it was followed, the last 256 of them, and one that comes twice is kept twice.
 */
function movedTargets() {
  const targets: (readonly string[])[] = []
  return {
    take({ href }: URL): boolean {
      const at = targets.findIndex((spellings) => spellings.includes(href))
      if (at >= 0) targets.splice(at, 1)
      return at >= 0
    },
    keep(from: URL, { status, headers }: Response, isMoved: boolean) {
      const location = headers.get('location')
      if (!isRedirect(status) || location === null) return
      // What is no ASCII is read as Latin-1 by some and as UTF-8 by others.
      const spellings = [location, Buffer.from(location, 'latin1').toString()].flatMap((text) => {
        if (!URL.canParse(text, from.href)) return []
        const target = new URL(text, from)
        target.hash = ''
        return target.origin === from.origin && !isMoved ? [] : [target.href]
      })
      if (spellings.length > 0) targets.push(spellings)
      if (targets.length > MAX_TARGETS) targets.shift()
    },
  }
}

const MAX_TARGETS = 256
