import type { ServerResponse } from 'node:http'
import { type Answer, changedHeaders, type HeaderFields, NULL_BODY_STATUSES } from '../answer.js'
import type { Last, StreamEnd, StreamReply } from '../stream.js'
import { applyHead, bytesOf, fieldsOf, tableOf } from './node-response.js'

/**
 * Lets a response leave as its handler makes it, with the gate's last word on its head, a copy of what was sent while that is small, and
 * word of how it ended. Where the price is counted it may end before its handler thinks, and what is written then is not heard. `before`:
 * the headers that stood before the work.
 */
export function passResponse(res: ServerResponse, reply: StreamReply, before: HeaderFields = fieldsOf(res)): void {
  const { writeHead, write, end, flushHeaders, addTrailers } = res
  const { flow } = reply
  let sealed = false
  let ended = false
  /** Nothing of the handler is sent any more. */
  let finished = false
  let made: Pick<Answer, 'headers' | 'removed'> = { headers: {} }
  let chunks: Buffer[] | undefined = []
  let size = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  /** The status that left; what a handler sets afterwards nobody sees. */
  let sent: number | undefined
  const statusNow = (): number => sent ?? res.statusCode
  const noteHead = (): void => {
    if (res.headersSent) sent ??= res.statusCode
  }

  const seal = (): void => {
    if (sealed) return
    sealed = true
    made = changedHeaders(before, fieldsOf(res))
    reply.head(tableOf(res), res.statusCode)
    if (reply.last !== undefined && canTrail(res)) res.setHeader('trailer', 'PAYMENT-RESPONSE, PAYMENT-ENTITLEMENT')
    watch()
  }

  /** Ends what costs too much by time alone. */
  const watch = (): void => {
    const left = flow?.msLeft()
    if (left === undefined || finished || ended) return
    if (left === 0) finish({ stopped: true })
    else timer = setTimeout(watch, Math.min(left, MAX_TIMER_MS))
  }

  const keep = (bytes: Buffer): void => {
    size += bytes.length
    if (size > reply.keepBytes) chunks = undefined
    else chunks?.push(bytes)
  }

  /** Sends bytes as far as they are paid for. */
  const send = (bytes: Buffer, ...rest: readonly unknown[]): boolean => {
    const passed = flow?.pass(new Uint8Array(bytes)) ?? { chunk: bytes, stop: false }
    const chunk = Buffer.from(passed.chunk)
    keep(chunk)
    const more = chunk.length === 0 || Reflect.apply(write, res, [chunk, ...rest])
    noteHead()
    if (passed.stop) finish({ stopped: true })
    return more
  }

  const finish = ({ stopped, done }: { readonly stopped: boolean; readonly done?: unknown }): void => {
    if (finished) return
    finished = true
    clearTimeout(timer)
    const rest = stopped ? undefined : flow?.end()
    if (rest !== undefined && rest.length > 0) {
      keep(Buffer.from(rest))
      Reflect.apply(write, res, [Buffer.from(rest)])
    }
    const callBack = typeof done === 'function' ? [done] : []
    const close = (last: Last | undefined): void => {
      const isEvents = String(res.getHeader('content-type') ?? '').startsWith('text/event-stream')
      if (last !== undefined && isEvents) Reflect.apply(write, res, [last.event])
      if (last !== undefined && res.hasHeader('trailer')) {
        Reflect.apply(addTrailers, res, [{ [last.trailer.name]: last.trailer.value }])
      }
      Reflect.apply(end, res, callBack)
    }
    void (reply.last?.(stopped) ?? Promise.resolve(undefined)).then(close, () => res.destroy())
  }

  const tell = (complete: boolean): void => {
    if (ended) return
    ended = true
    clearTimeout(timer)
    void reply.ended(endOf(complete))
  }

  const endOf = (complete: boolean): StreamEnd => {
    if (!sealed) return { complete }
    const status = statusNow()
    if (!complete || chunks === undefined) return { status, complete }
    return { status, complete, answer: { status, ...made, body: Buffer.concat(chunks) } }
  }

  Object.assign(res, {
    writeHead: (status: number, ...rest: readonly unknown[]) => {
      // Node writes the head of a response that ends through the response's own method.
      if (finished && res.headersSent) return res
      // What it is given goes where the gate can still have the last word.
      applyHead(res, status, rest)
      seal()
      Reflect.apply(writeHead, res, [status])
      noteHead()
      return res
    },
    flushHeaders: () => {
      if (finished) return
      seal()
      Reflect.apply(flushHeaders, res, [])
      noteHead()
    },
    write: (chunk: unknown, ...rest: readonly unknown[]) => {
      if (finished) return callBack(rest)
      seal()
      if (flow !== undefined && statusNow() < 400) return send(bytesOf(chunk, rest[0]), ...rest.filter(isFunction))
      keep(bytesOf(chunk, rest[0]))
      const more = Reflect.apply(write, res, [chunk, ...rest])
      noteHead()
      return more
    },
    end: (...args: readonly unknown[]) => {
      if (finished) {
        callBack(args)
        return res
      }
      seal()
      const [chunk, encoding] = args
      const hasChunk = chunk != null && !isFunction(chunk)
      if (statusNow() >= 400 || (reply.last === undefined && flow === undefined)) {
        finished = true
        if (hasChunk) keep(bytesOf(chunk, encoding))
        return Reflect.apply(end, res, args)
      }
      if (hasChunk) send(bytesOf(chunk, encoding))
      finish({ stopped: false, done: args.find(isFunction) })
      return res
    },
  })
  res.once('finish', () => tell(true))
  res.once('close', () => tell(res.writableFinished))
}

/** The longest that a timer waits. */
const MAX_TIMER_MS = 2 ** 31 - 1

const isFunction = (value: unknown): boolean => typeof value === 'function'

/** Node calls back when a write has been taken over; what nobody hears is taken over too. */
function callBack(args: readonly unknown[]): boolean {
  const done = args.find((arg) => typeof arg === 'function')
  if (typeof done === 'function') queueMicrotask(() => done())
  return true
}

/** Whether something can be said after the body: in HTTP/1.1, where there is one and its length is open. */
function canTrail(res: ServerResponse): boolean {
  const { httpVersion, method } = res.req
  return (
    httpVersion === '1.1' &&
    method !== 'HEAD' &&
    !NULL_BODY_STATUSES.has(res.statusCode) &&
    !res.hasHeader('content-length') &&
    !res.hasHeader('trailer')
  )
}
