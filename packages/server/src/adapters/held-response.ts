import type { ServerResponse } from 'node:http'
import {
  type Answer,
  applyHeaders,
  changedHeaders,
  type HeaderFields,
  type HeaderTable,
  NULL_BODY_STATUSES,
} from '../answer.js'
import type { Work } from '../protect.js'
import { applyHead, bufferOver, bytesOf, fieldsOf, resetHeaders, tableOf } from './node-response.js'

/** A Node response of which nothing leaves until somebody decides what. */
export type HeldResponse = {
  /** What was made, once it ended, grew too large or lost its listener. */
  readonly made: Promise<Work<HeldResponse>>
  /** Sends an answer in place of what was made. `finish` has the last word on its headers. */
  replace(answer: Answer, finish?: (headers: HeaderTable) => void): void
  /** Sends what was made, as it is. */
  release(finish: (headers: HeaderTable) => void): void
  /** Gives the response back, after a fault of our own. */
  restore(): void
}

/**
 * Takes over a response before its handler runs. What the handler writes is kept, at most `maxBytes` of it: status (also the one given
 * to `writeHead`), headers, body and trailers. Informational responses are swallowed. As nothing has been sent, the last status counts:
 * an error page that follows the beginning of an answer replaces it. `before`: the headers that stood before the work.
 */
export function holdResponse(
  res: ServerResponse,
  maxBytes: number,
  before: HeaderFields = fieldsOf(res),
): HeldResponse {
  const { writeHead, write, end, flushHeaders, writeContinue, writeProcessing, writeEarlyHints, addTrailers } = res
  const native = { writeHead, write, end, flushHeaders, writeContinue, writeProcessing, writeEarlyHints, addTrailers }
  let chunks: Buffer[] = []
  let size = 0
  let statusOfBody = res.statusCode
  let trailers: Record<string, string> | undefined
  let open = true
  let decide: (work: Work<HeldResponse>) => void = () => {}
  const made = new Promise<Work<HeldResponse>>((resolve) => {
    decide = resolve
  })

  const forget = (): void => {
    chunks = []
    size = 0
  }

  const keep = (chunk: unknown, encoding: unknown): void => {
    if (!open) return
    if (res.statusCode !== statusOfBody) forget()
    statusOfBody = res.statusCode
    const bytes = bytesOf(chunk, encoding)
    size += bytes.length
    chunks.push(bytes)
    if (size > maxBytes) close({ type: 'failed', code: 'response_too_large' })
  }

  const close = (work: Work<HeldResponse>): void => {
    open = false
    if (work.type === 'failed') forget()
    decide(work)
  }

  const workOf = (status: number): Work<HeldResponse> => {
    if (status >= 400) return { type: 'unsold', native: held }
    if (status < 200) return { type: 'failed', code: 'handler_failed' }
    const changed = changedHeaders(before, fieldsOf(res))
    const body = Buffer.concat(chunks)
    return { type: 'made', answer: { status, ...changed, body, ...(trailers === undefined ? {} : { trailers }) } }
  }

  const onClose = (): void => close({ type: 'failed', code: 'handler_failed' })
  res.once('close', onClose)

  Object.assign(res, {
    writeHead: (status: number, ...rest: readonly unknown[]) => {
      applyHead(res, status, rest)
      return res
    },
    write: (chunk: unknown, ...rest: readonly unknown[]) => {
      keep(chunk, rest[0])
      callBack(rest)
      return open
    },
    end: (...args: readonly unknown[]) => {
      const [chunk, encoding] = args
      if (chunk != null && typeof chunk !== 'function') keep(chunk, encoding)
      const done = args.find((arg) => typeof arg === 'function')
      if (typeof done === 'function') res.once('finish', () => done())
      if (open) close(workOf(res.statusCode))
      return res
    },
    addTrailers: (fields: Readonly<Record<string, unknown>>) => {
      const more = Object.entries(fields).map(([name, value]) => [name, String(value)])
      trailers = { ...trailers, ...Object.fromEntries(more) }
    },
    flushHeaders: () => {},
    writeContinue: () => {},
    writeProcessing: () => {},
    writeEarlyHints: (_hints: unknown, ...rest: readonly unknown[]) => callBack(rest),
  })

  const send = (body: string | Buffer, sent: HeaderFields | undefined): void => {
    res.off('close', onClose)
    // Node writes the head through the response's own method. `write` and `end` stay taken: a handler that goes on must not be heard.
    Object.assign(res, { writeHead, flushHeaders })
    if (sent === undefined) {
      // Node sends head and body in one piece when the body is text, and these are the same bytes.
      const small = typeof body !== 'string' && body.length <= SMALL_BODY_BYTES
      Reflect.apply(end, res, small ? [body.toString('latin1'), 'latin1'] : [body])
      return
    }
    Reflect.apply(write, res, [body])
    Reflect.apply(addTrailers, res, [sent])
    Reflect.apply(end, res, [])
  }

  const held: HeldResponse = {
    made,
    replace: (answer, finish) => {
      resetHeaders(res, before)
      res.statusCode = answer.status
      res.statusMessage = ''
      applyHeaders(answer, tableOf(res))
      finish?.(tableOf(res))
      // Node leaves out the length of a response from which a length was once taken away.
      if (answer.trailers === undefined && !NULL_BODY_STATUSES.has(answer.status) && !res.hasHeader('content-length')) {
        res.setHeader('content-length', Buffer.byteLength(answer.body))
      }
      send(typeof answer.body === 'string' ? answer.body : bufferOver(answer.body), answer.trailers)
    },
    release: (finish) => {
      finish(tableOf(res))
      send(Buffer.concat(chunks), trailers)
    },
    restore: () => {
      res.off('close', onClose)
      Object.assign(res, native)
    },
  }
  return held
}

const SMALL_BODY_BYTES = 16_384

/** Node calls back when a write has been taken over; held bytes are. */
function callBack(args: readonly unknown[]): void {
  const done = args.find((arg) => typeof arg === 'function')
  if (typeof done === 'function') queueMicrotask(() => done())
}
