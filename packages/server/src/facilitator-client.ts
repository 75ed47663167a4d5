import {
  type CallOptions,
  DEFAULT_RETRY_AFTER,
  type Decoded,
  decodeJsonObject,
  decodeSettlement,
  decodeSupported,
  decodeVerdict,
  encodeFacilitatorRequest,
  type Facilitator,
  type FacilitatorRequest,
  type Fetch,
  isErrorCode,
  isJsonObject,
  type Pid,
  type Settlement,
  type Supported,
  type Verdict,
  VOUCHED_HEADER,
  X402Error,
} from '@groat/core'
import { callOver, NoAnswer, nodeCall } from '@groat/core/http'

/** What a facilitator is asked for. */
export type FacilitatorOperation = 'verify' | 'settle' | 'supported' | 'settlement'

/** How a facilitator is called. */
export type FacilitatorClientOptions = {
  /** Default: Node's own client where there is one, which costs a third of its `fetch`; else the platform's `fetch`. */
  readonly fetch?: Fetch
  /** Milliseconds for one call, its answer included. Default 30,000. */
  readonly timeoutMs?: number
  /**
   * Whether plain http to another machine is allowed: whoever stands between writes verdicts. For private networks. Default false.
   */
  readonly allowHttp?: boolean
  /** Headers to send, such as an authorization; a function is asked for each call. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | ((operation: FacilitatorOperation) => Record<string, string> | Promise<Record<string, string>>)
}

/**
 * A facilitator behind HTTP: ours, the official ones and what behaves like them.
 *
 * Redirects are not followed and answers are bounded in size and time (SRV-012, SRV-013). A verdict or settlement counts whatever
 * status it comes with (SRV-009). Whatever happens after a settlement was sent is `unknown` (SRV-010); `settle` throws only when the
 * request certainly was not accepted.
 * Throws `X402Error` `invalid_config` for a URL that is none; its methods throw `facilitator_unreachable`, `facilitator_busy` for 429 and for
 * what says that it has too much to do (`said` in the context is its own code, where that is one of the registry),
 * `facilitator_unauthorized` for 401 and 403 and `facilitator_invalid_answer`. The `status` is in the context, and so is `retryAfter`, in
 * seconds, where the facilitator gave one.
 *
 * @example
 * const facilitator = createFacilitatorClient('https://pay.example', { headers: { authorization: `Bearer ${token}` } })
 */
export function createFacilitatorClient(url: string, options: FacilitatorClientOptions = {}): Required<Facilitator> {
  const base = baseOf(url, options)
  const call = createCaller(base, options)
  const encoded = new WeakMap<FacilitatorRequest, string>()
  let asking: Promise<Supported> | undefined

  const bodyOf = (request: FacilitatorRequest): string => {
    const cached = encoded.get(request)
    if (cached !== undefined) return cached
    const body = JSON.stringify(encodeFacilitatorRequest(request))
    encoded.set(request, body)
    return body
  }

  /** Asked at the start, when the URL may be a wrong one: what is thrown names it. */
  const askSupported = async (callOptions?: CallOptions): Promise<Supported> => {
    try {
      const answer = await call('supported', '/supported', undefined, callOptions)
      return decodedOf('supported', okAnswer('supported', answer), decodeSupported)
    } catch (error) {
      if (!X402Error.is(error)) throw error
      throw new X402Error(error.code, { ...error.context, facilitator: base }, { cause: error.cause })
    }
  }

  return {
    verify: async (request, callOptions) => verdictOf(await call('verify', '/verify', bodyOf(request), callOptions)),
    settle: async (request, callOptions) => {
      try {
        return settlementOf(await call('settle', '/settle', bodyOf(request), callOptions, request.vouched))
      } catch (error) {
        if (error instanceof Unanswered) return { status: 'unknown', retryAfter: DEFAULT_RETRY_AFTER }
        throw error
      }
    },
    supported: (callOptions) => {
      asking ??= askSupported(callOptions).finally(() => {
        asking = undefined
      })
      return asking
    },
    settlement: async (pid: Pid, callOptions) => {
      const answer = await call('settlement', `/settlements/${pid}`, undefined, callOptions)
      if (answer.status === 404 && isJsonObject(answer.json) && answer.json.code === 'settlement_not_found')
        return undefined
      return decodedOf('settlement', okAnswer('settlement', answer), decodeSettlement)
    },
  }
}

/** An answer that was read to its end. `json` is `undefined` when it was none. */
type JsonAnswer = { readonly status: number; readonly json: unknown; readonly retryAfter: number | undefined }

type Call = (
  operation: FacilitatorOperation,
  path: string,
  body: string | undefined,
  options: CallOptions | undefined,
  vouched?: readonly string[],
) => Promise<JsonAnswer>

function verdictOf(answer: JsonAnswer): Verdict {
  const structured = isJsonObject(answer.json) && 'isValid' in answer.json
  if (!structured || answer.status === 429) okAnswer('verify', answer)
  const verdict = decodedOf('verify', answer, decodeVerdict)
  if (isOk(answer)) return verdict
  // Outside 2xx only a refusal can be meant, and a server's own failure is none.
  if (verdict.ok) throw invalidAnswer('verify', answer.status)
  if (answer.status >= 500 && verdict.code === 'unexpected_verify_error') okAnswer('verify', answer)
  return verdict
}

function settlementOf(answer: JsonAnswer): Settlement {
  const { status, json, retryAfter = DEFAULT_RETRY_AFTER } = answer
  const unknown: Settlement = { status: 'unknown', retryAfter }
  if (isJsonObject(json) && 'success' in json) {
    const settlement = decodeSettlement(json)
    if (!settlement.ok || (settlement.value.status === 'settled' && !isOk(answer))) return unknown
    return settlement.value.status === 'unknown' ? { ...settlement.value, retryAfter } : settlement.value
  }
  // These statuses are given before a request is looked into.
  if (REJECTED_UNREAD.has(status)) okAnswer('settle', answer)
  return unknown
}

const REJECTED_UNREAD: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 406, 411, 413, 414, 415, 422, 429, 431])

/** The answer, if its status is a good one. Throws else. */
function okAnswer(operation: FacilitatorOperation, answer: JsonAnswer): JsonAnswer {
  const { status, retryAfter, json } = answer
  if (isOk(answer)) return answer
  const { code } = isJsonObject(json) ? json : {}
  const said = typeof code === 'string' && isErrorCode(code) ? code : undefined
  if (status === 429 || said === 'facilitator_overloaded')
    throw new X402Error('facilitator_busy', { operation, status, said, retryAfter })
  if (status >= 500) throw new X402Error('facilitator_unreachable', { operation, status, retryAfter })
  throw invalidAnswer(operation, status)
}

function decodedOf<T>(operation: FacilitatorOperation, answer: JsonAnswer, decode: (json: unknown) => Decoded<T>): T {
  const decoded = decode(answer.json)
  if (!decoded.ok) throw invalidAnswer(operation, answer.status)
  return decoded.value
}

function isOk({ status }: JsonAnswer): boolean {
  return status >= 200 && status < 300
}

/** The longest answer that is read. */
const MAX_ANSWER_BYTES = 64 * 1024

function createCaller(base: string, { fetch, timeoutMs = 30_000, headers = {} }: FacilitatorClientOptions): Call {
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw new X402Error('invalid_config', { field: 'timeoutMs', value: timeoutMs })
  }
  const exchange = fetch === undefined ? (nodeCall() ?? callOver(globalThis.fetch)) : callOver(fetch)
  return async (operation, path, body, { signal } = {}, vouched) => {
    const said = typeof headers === 'function' ? await headers(operation) : headers
    const own = vouched === undefined ? said : { ...said, [VOUCHED_HEADER]: vouched.join() }
    try {
      const { status, retryAfter, text } = await exchange({
        url: base + path,
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        ...(body === undefined
          ? { method: 'GET', headers: own }
          : { method: 'POST', headers: { 'content-type': 'application/json', ...own }, body }),
        ...(signal === undefined ? {} : { signal }),
      })
      return { status, json: jsonOf(text), retryAfter: secondsOf(retryAfter) }
    } catch (cause) {
      if (cause instanceof NoAnswer && !cause.sent)
        throw new X402Error('facilitator_unreachable', { operation }, { cause })
      throw new Unanswered(operation, cause)
    }
  }
}

/** A facilitator is believed about payments, and about nothing that takes this process down. */
function jsonOf(text: string | undefined): unknown {
  const decoded = text === undefined ? undefined : decodeJsonObject(text)
  return decoded?.ok ? decoded.value : undefined
}

/** Whole seconds; a date, or anything else, is taken for no answer. */
function secondsOf(retryAfter: string | undefined): number | undefined {
  return retryAfter !== undefined && /^[0-9]{1,5}$/.test(retryAfter) ? Number(retryAfter) : undefined
}

function baseOf(text: string, { allowHttp = false }: FacilitatorClientOptions): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new X402Error('invalid_config', { field: 'facilitator', reason: 'not an http(s) URL without credentials' })
  }
  if (url.protocol === 'http:' && !allowHttp && !isLoopback(url)) {
    throw new X402Error('invalid_config', {
      field: 'facilitator',
      reason: 'plain http to another machine; use https, or createFacilitatorClient(url, { allowHttp: true })',
    })
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}

/** The URL parser has already brought every spelling of an IPv4 address to four decimal numbers. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

function invalidAnswer(operation: FacilitatorOperation, status: number): X402Error {
  const code = status === 401 || status === 403 ? 'facilitator_unauthorized' : 'facilitator_invalid_answer'
  return new X402Error(code, { operation, status })
}

/** The request may have arrived; its answer did not. */
class Unanswered extends X402Error {
  constructor(operation: FacilitatorOperation, cause: unknown) {
    super('facilitator_unreachable', { operation }, { cause })
  }
}
