import { joinBytes, readBounded } from '@groat/core'
import {
  type Answer,
  applyHeaders,
  changedHeaders,
  type HeaderFields,
  type HeaderTable,
  makePrivate,
  NULL_BODY_STATUSES,
  stripProtocolHeaders,
} from '../answer.js'
import { PaymentRequiredError } from '../payment-required-error.js'
import type { AnswerReply, Work } from '../protect.js'
import type { StreamReply } from '../stream.js'

/** What work comes to, also where it throws that it wants to be paid for. */
export async function orAsked(work: () => Promise<Work<Response>>): Promise<Work<Response>> {
  try {
    return await work()
  } catch (error) {
    if (PaymentRequiredError.is(error)) return { type: 'asked', error }
    throw error
  }
}

/** Reads a body; `undefined`: it is longer than may be. */
export type ReadBody = (
  response: Response,
  bound: { readonly maxBytes: number },
) => Promise<Uint8Array<ArrayBuffer> | undefined>

/**
 * Reads a handler's response to its end and holds it back as one value. `before` are the headers that earlier middleware had set.
 * A response that is not sold is left unread, so that it can stream. A status below 200 cannot be held back: it fails.
 */
export async function holdResponse(
  response: Response,
  before: HeaderFields,
  maxBytes: number,
  read: ReadBody = ({ body }, bound) => readBounded(body, bound),
): Promise<Work<Response>> {
  const { status } = response
  if (status >= 400) return { type: 'unsold', native: response }
  if (status < 200) return { type: 'failed', code: 'handler_failed' }
  const body = NULL_BODY_STATUSES.has(status) ? new Uint8Array() : await read(response, { maxBytes })
  if (body === undefined) return { type: 'failed', code: 'response_too_large' }
  const changed = changedHeaders(before, fieldsOf(response.headers))
  return { type: 'made', answer: { status, ...changed, body } }
}

/** The response of a reply, on top of the headers that earlier middleware had set. */
export function responseOf({ answer, paid }: AnswerReply, before: HeaderFields = {}): Response {
  const fields = { ...before }
  const table = tableOfFields(fields)
  applyHeaders(answer, table)
  if (paid) makePrivate(table)
  const { status } = answer
  return new Response(NULL_BODY_STATUSES.has(status) ? null : answer.body, { status, headers: headersOf(fields) })
}

/** A handler's own response, without what only the gate may say. */
export function unsoldResponse(response: Response): Response {
  const headers = new Headers(response.headers)
  if (!stripProtocolHeaders(tableOf(headers))) return response
  const { status, statusText } = response
  return new Response(NULL_BODY_STATUSES.has(status) ? null : response.body, { status, statusText, headers })
}

/**
 * Runs the work and lets its response leave as it is made, with the gate's last word on its head, a copy of what was sent while that is
 * small, and word of how it ended. `before`: the headers that stood before the work. `bare`: nobody reads the body.
 */
export async function passResponse(
  passed: StreamReply,
  work: () => Response | Promise<Response>,
  { before = {}, bare }: { readonly before?: HeaderFields; readonly bare: boolean },
): Promise<Response> {
  const reply = endingOnce(passed)
  let response: Response
  try {
    response = await work()
  } catch (error) {
    await reply.ended({ complete: false })
    throw error
  }
  const { status, statusText, body } = response
  const made = { status, ...changedHeaders(before, fieldsOf(response.headers)) }
  const headers = new Headers(response.headers)
  reply.head(tableOf(headers), status)
  const init = { status, statusText, headers }
  if (status >= 400) {
    await reply.ended({ status, complete: true })
    return new Response(body, init)
  }
  if (body === null || bare) {
    await reply.last?.(false)
    await reply.ended({ status, complete: true, answer: { ...made, body: '' } })
    return new Response(NULL_BODY_STATUSES.has(status) ? null : body, init)
  }
  return new Response(passBody(body, reply, made), init)
}

/** Who leaves while the next piece is waited for ends it twice: what is told once counts. */
function endingOnce(reply: StreamReply): StreamReply {
  let ended: Promise<void> | undefined
  return {
    ...reply,
    ended: (end) => {
      ended ??= reply.ended(end)
      return ended
    },
  }
}

type Chunk = Uint8Array<ArrayBuffer>

function passBody(body: ReadableStream<Chunk>, reply: StreamReply, made: Omit<Answer, 'body'>): ReadableStream<Chunk> {
  const reader = body.getReader()
  const { status } = made
  const { flow } = reply
  let chunks: Chunk[] | undefined = []
  let size = 0

  const emit = (controller: ReadableStreamDefaultController<Chunk>, chunk: Chunk): void => {
    size += chunk.byteLength
    if (size > reply.keepBytes) chunks = undefined
    else chunks?.push(chunk)
    controller.enqueue(chunk)
  }
  /** Sends on until something has left. True once nothing more may, or is there. */
  const next = async (controller: ReadableStreamDefaultController<Chunk>): Promise<'more' | 'stop' | 'end'> => {
    for (;;) {
      const read = await readWithin(reader, flow?.msLeft())
      if (read === undefined) {
        if (flow?.msLeft() === 0) return 'stop'
        continue
      }
      if (read.done) {
        const rest = flow?.end()
        if (rest !== undefined && rest.length > 0) emit(controller, rest)
        return 'end'
      }
      const { chunk, stop } = flow?.pass(read.value) ?? { chunk: read.value, stop: false }
      if (chunk.length > 0) emit(controller, chunk)
      if (stop) return 'stop'
      if (chunk.length > 0) return 'more'
    }
  }
  return new ReadableStream({
    pull: async (controller) => {
      let end: 'more' | 'stop' | 'end'
      try {
        end = await next(controller)
      } catch (error) {
        await reply.ended({ status, complete: false })
        throw error
      }
      if (end === 'more') return
      if (end === 'stop') reader.cancel().catch(() => {})
      const last = await reply.last?.(end === 'stop')
      const isEvents = String(made.headers['content-type']).startsWith('text/event-stream')
      if (last !== undefined && isEvents) controller.enqueue(new TextEncoder().encode(last.event))
      controller.close()
      await reply.ended({ status, complete: true, ...(chunks && { answer: { ...made, body: joinBytes(chunks) } }) })
    },
    cancel: async (reason) => {
      await reader.cancel(reason)
      await reply.ended({ status, complete: false })
    },
  })
}

/** The next piece; `undefined`: it did not come in so many milliseconds. What comes later comes next time. */
function readWithin(
  reader: ReadableStreamDefaultReader<Chunk>,
  ms: number | undefined,
): Promise<ReadableStreamReadResult<Chunk> | undefined> {
  if (ms === undefined) return reader.read()
  pendingReads.set(reader, pendingReads.get(reader) ?? reader.read())
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.min(ms, MAX_TIMER_MS))
  })
  const read = Promise.resolve(pendingReads.get(reader)).then((result) => {
    pendingReads.delete(reader)
    return result
  })
  return Promise.race([read, late]).finally(() => clearTimeout(timer))
}

const pendingReads = new WeakMap<ReadableStreamDefaultReader<Chunk>, Promise<ReadableStreamReadResult<Chunk>>>()

/** The longest that a timer waits. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The headers that stand in a table. */
export function fieldsOf(headers: Headers): HeaderFields {
  const fields: Record<string, string | readonly string[]> = Object.fromEntries(headers)
  const cookies = headers.getSetCookie()
  if (cookies.length > 0) fields['set-cookie'] = cookies
  return fields
}

function tableOf(headers: Headers): HeaderTable {
  return {
    get: (name) => headers.get(name),
    delete: (name) => headers.delete(name),
    set: (name, value) => {
      if (typeof value === 'string') return headers.set(name, value)
      headers.delete(name)
      for (const item of value) headers.append(name, item)
    },
  }
}

function tableOfFields(fields: Record<string, string | readonly string[]>): HeaderTable {
  return {
    get: (name) => fields[name.toLowerCase()]?.toString(),
    delete: (name) => delete fields[name.toLowerCase()],
    set: (name, value) => {
      fields[name.toLowerCase()] = value
    },
  }
}

/** A plain object wherever it will do: on Node's sockets a response with one leaves without a table being made of it. */
function headersOf(fields: HeaderFields): HeadersInit {
  const entries = Object.entries(fields)
  const single = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  if (single.length === entries.length) return Object.fromEntries(single)
  const headers = new Headers()
  for (const [name, value] of entries) tableOf(headers).set(name, value)
  return headers
}
