import type { Fetch } from '@groat/core'
import {
  type AxiosAdapter,
  AxiosError,
  type AxiosInstance,
  type AxiosResponse,
  getAdapter,
  type InternalAxiosRequestConfig,
} from 'axios'
import type { PaymentOutcome } from '../outcome.js'
import type { Payer } from '../payer.js'
import type { PayInit } from '../request.js'

/** How an axios instance pays. */
export type PayingAxiosOptions = {
  /** Most of a request body that is held to be sent again; larger ones are sent once and never paid for. Default 10 MiB. */
  readonly maxReplayBytes?: number
}

/** What a caller may say in an axios configuration beside what axios knows. */
export type AxiosPayConfig = Pick<PayInit, 'idempotencyKey' | 'metadata'>

/** An axios instance that pays. */
export type PayingAxios = {
  /** How payment went for an answer of this instance. */
  readonly outcome: (response: AxiosResponse) => PaymentOutcome | undefined
  /** Stops paying. */
  readonly eject: () => void
}

/**
 * Makes an axios instance pay, by a request interceptor: whatever else it is configured to do (base URL, transforms, other interceptors, its own
 * adapter) stays. A request that is asked to pay is sent again by the same adapter, to the same origin only; its body is held up to
 * `maxReplayBytes`. Streams are sent once: when one is asked to pay, the call rejects with `X402Error` `body_not_replayable`.
 * Rejects as axios does for every status that `validateStatus` refuses, also for a 402 that the policy refuses.
 *
 * The second argument makes the payer over the transport it is given: `createPayer` or `createBuyer`.
 *
 * @example
 * const client = axios.create({ baseURL: 'https://api.example' })
 * const paying = payWithAxios(client, (fetch) => createPayer({ schemes: [exactEvm({ account })], fetch }))
 * const response = await client.get('/weather')
 * paying.outcome(response)?.status
 */
export function payWithAxios(
  instance: AxiosInstance,
  makePayer: (fetch: Fetch) => Pick<Payer, 'fetch' | 'outcome'>,
  { maxReplayBytes = 10_485_760 }: PayingAxiosOptions = {},
): PayingAxios {
  const answers = new WeakMap<Response, AxiosResponse>()
  const outcomes = new WeakMap<AxiosResponse, PaymentOutcome>()
  const landings = watchedLandings()
  const payer = makePayer(transport(answers, landings))

  const paying =
    (adapter: AxiosAdapter): AxiosAdapter =>
    async (config) => {
      const { idempotencyKey, metadata } = config as AxiosPayConfig
      const body = replayable(config.data, maxReplayBytes)
      const init: CallInit = {
        [CALL]: { config, adapter },
        method: (config.method ?? 'get').toUpperCase(),
        headers: plainHeaders(config),
        ...(body !== undefined && { body }),
        ...(config.signal && { signal: asSignal(config.signal) }),
        ...(idempotencyKey !== undefined && { idempotencyKey }),
        ...(metadata !== undefined && { metadata }),
      }
      const response = await payer.fetch(instance.getUri(config), init)
      const answer = answers.get(response)
      if (answer === undefined)
        throw new AxiosError('the payer answered what the transport did not', 'ERR_BAD_RESPONSE', config)
      const outcome = payer.outcome(response)
      if (outcome !== undefined) outcomes.set(answer, outcome)
      return judged({ ...answer, config }, answer, outcomes)
    }

  const id = instance.interceptors.request.use((config) => {
    config.env = { ...config.env, fetch: landings.watched(config.env?.fetch) }
    config.adapter = paying(getAdapter(config.adapter ?? instance.defaults.adapter, config))
    return config
  })
  return {
    outcome: (response) => outcomes.get(response),
    eject: () => instance.interceptors.request.eject(id),
  }
}

/** Which axios call a request of the payer belongs to. It travels in the init, which the payer hands on untouched. */
const CALL: unique symbol = Symbol('axios call')

type CallInit = PayInit & {
  readonly [CALL]: { readonly config: InternalAxiosRequestConfig; readonly adapter: AxiosAdapter }
}

/** The fetch under the payer: each request goes out by the adapter of the axios call that it belongs to. */
function transport(answers: WeakMap<Response, AxiosResponse>, landings: Landings): Fetch {
  return async (input, init) => {
    // Nobody but `paying` calls the payer, and it always says which call.
    const { [CALL]: call, ...rest } = init as CallInit
    const { config, adapter } = call
    const again = rest.redirect === 'manual'
    const request: InternalAxiosRequestConfig = {
      ...config,
      // Statuses are judged at the end.
      validateStatus: () => true,
      ...(rest.signal && { signal: rest.signal }),
      ...(again && { maxRedirects: 0, data: bytesOf(rest.body), baseURL: '', params: undefined, url: String(input) }),
      // Its adapter over fetch has not always known `maxRedirects`.
      ...(again && { fetchOptions: { ...config.fetchOptions, redirect: 'manual' } }),
    }
    if (again) {
      const headers = config.headers.concat()
      for (const [name, value] of new Headers(rest.headers)) headers.set(name, value)
      request.headers = headers
      if (rest.method !== undefined) request.method = rest.method
    }
    const answer = await adapter(request)
    const response = responseOf(answer, landings)
    answers.set(response, answer)
    return response
  }
}

type EnvFetch = NonNullable<NonNullable<InternalAxiosRequestConfig['env']>['fetch']>
type Landings = ReturnType<typeof watchedLandings>

/** Where requests came to in the end: axios's adapter over fetch does not say. */
function watchedLandings() {
  const landed = new WeakMap<object, string>()
  // One for each: axios keeps an adapter for every fetch that it is given.
  const known = new WeakMap<EnvFetch, EnvFetch>()
  const watch = (own: EnvFetch): EnvFetch => {
    const watching: EnvFetch = async (input, init) => {
      const response = await own(input, init)
      if (input instanceof Object) landed.set(input, response.url)
      return response
    }
    known.set(own, watching)
    // What is watched already stays as it is.
    known.set(watching, watching)
    return watching
  }
  const platform = watch((input, init) => globalThis.fetch(input, init))
  return {
    of: (request: unknown) => (request instanceof Object ? landed.get(request) : undefined),
    watched: (own: EnvFetch | undefined) => (own ? (known.get(own) ?? watch(own)) : platform),
  }
}

/** As every adapter takes it. The payer hands out bytes of its own, whole buffers. */
function bytesOf(body: unknown): unknown {
  return body instanceof Uint8Array ? Uint8Array.from(body).buffer : body
}

/** The payer looks at status and headers, and at text of old challenges; the body that the caller gets is axios's own. */
function responseOf({ status, headers, data, request }: AxiosResponse, landings: Landings): Response {
  const all = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one != null) all.append(name, String(one))
  }
  const body = status === 402 && (typeof data === 'string' || data instanceof ArrayBuffer) ? data : null
  const empty = status === 101 || status === 204 || status === 205 || status === 304
  const response = new Response(empty ? null : body, { status: status < 200 ? 200 : status, headers: all })
  const url: unknown = request?.res?.responseUrl ?? request?.responseURL ?? landings.of(request)
  if (typeof url === 'string' && url !== '') Object.defineProperty(response, 'url', { value: url })
  // A browser does not say where it was redirected.
  if (status === 0) Object.defineProperty(response, 'type', { value: 'opaqueredirect' })
  return response
}

/** What axios itself would do with the status. */
function judged(
  response: AxiosResponse,
  answer: AxiosResponse,
  outcomes: WeakMap<AxiosResponse, PaymentOutcome>,
): AxiosResponse {
  const outcome = outcomes.get(answer)
  if (outcome !== undefined) outcomes.set(response, outcome)
  const { validateStatus } = response.config
  if (!response.status || !validateStatus || validateStatus(response.status)) return response
  const code = response.status < 500 ? AxiosError.ERR_BAD_REQUEST : AxiosError.ERR_BAD_RESPONSE
  throw new AxiosError(
    `Request failed with status code ${response.status}`,
    code,
    response.config,
    response.request,
    response,
  )
}

/** The body as the payer can hold it. A stream stands for everything that is sent once. */
function replayable(data: unknown, maxBytes: number): BodyInit | undefined {
  if (data === undefined || data === null) return undefined
  if (typeof data === 'string') return data.length > maxBytes ? onceOnly() : data
  if (data instanceof ArrayBuffer) return data.byteLength > maxBytes ? onceOnly() : data
  if (ArrayBuffer.isView(data)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return bytes.byteLength > maxBytes ? onceOnly() : Uint8Array.from(bytes)
  }
  if (data instanceof URLSearchParams || data instanceof FormData || data instanceof Blob) return data
  return onceOnly()
}

const onceOnly = () => new ReadableStream<Uint8Array>()

function plainHeaders(config: InternalAxiosRequestConfig): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(config.headers.toJSON()))
    if (value != null) headers.set(name, String(value))
  return headers
}

/** axios takes any object with the listeners of a signal. */
function asSignal(signal: NonNullable<InternalAxiosRequestConfig['signal']>): AbortSignal {
  if (signal instanceof AbortSignal) return signal
  const controller = new AbortController()
  if (signal.aborted) controller.abort()
  signal.addEventListener?.('abort', () => controller.abort())
  return controller.signal
}
