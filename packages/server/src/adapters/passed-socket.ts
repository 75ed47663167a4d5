import type { Duplex } from 'node:stream'
import { type HeaderTable, problemAnswer } from '../answer.js'
import type { StreamReply } from '../stream.js'
import { answerHandshake } from './handshake-answer.js'
import { bytesOf } from './node-response.js'
import { closeFrame, createFrameSplitter } from './websocket-frames.js'

/** A socket that a handler writes to. */
export type PassedSocket = {
  /** The handler threw. */
  fail(): void
}

/**
 * Lets a handler answer a handshake and use the socket, with the gate's last word on the head of its answer, and on whether that answer may
 * leave: what was paid for is written down as delivered before it is, as no socket can be opened again. Afterwards nothing stands between
 * handler and socket, unless the price is counted while it is open.
 */
export function passSocket(
  socket: Duplex,
  reply: StreamReply,
  { isWebSocket }: { readonly isWebSocket: boolean },
): PassedSocket {
  const { write, end } = socket
  const { flow } = reply
  /** `head`: nothing was sent. `held`: the head is there, and waits. `open`: bytes leave. `over`: nobody hears the handler. */
  let state: 'head' | 'held' | 'open' | 'over' = 'head'
  let kept = Buffer.alloc(0)
  let ends = false
  let waits = false
  let told = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const tell = (status: number | undefined): Promise<void> => {
    if (told) return Promise.resolve()
    told = true
    return reply.ended({ complete: status !== undefined, ...(status === undefined ? {} : { status }) })
  }

  const giveBack = (): void => {
    Reflect.deleteProperty(socket, 'write')
    Reflect.deleteProperty(socket, 'end')
  }

  const refuse = (code: 'handler_failed' | 'store_unavailable'): void => {
    state = 'over'
    giveBack()
    void tell(undefined)
    if (!socket.destroyed) answerHandshake(socket, problemAnswer(code), false)
  }

  const keep = (chunk: unknown, encoding: unknown): boolean => {
    kept = Buffer.concat([kept, bytesOf(chunk, encoding)])
    if (state === 'head' && kept.includes(HEAD_END)) {
      state = 'held'
      decide().catch(() => socket.destroy())
    } else if (state === 'head' && kept.length > MAX_HEAD_BYTES) refuse('handler_failed')
    waits = kept.length >= MAX_HELD_BYTES
    return !waits
  }

  const decide = async (): Promise<void> => {
    const at = kept.indexOf(HEAD_END)
    const head = parseHead(kept.subarray(0, at).toString('latin1'))
    if (head === undefined) return refuse('handler_failed')
    reply.head(head.table, head.status)
    const opens = head.status === 101
    if (!opens) await tell(head.status)
    else if (reply.once !== undefined) {
      if (!(await reply.once())) return refuse('store_unavailable')
      told = true
    }
    const rest = kept.subarray(at + HEAD_END.length)
    kept = Buffer.alloc(0)
    state = 'open'
    Reflect.apply(write, socket, [Buffer.from(head.text(), 'latin1')])
    if (!opens || flow === undefined) {
      giveBack()
      if (rest.length > 0) socket.write(rest)
      if (ends) socket.end()
      else if (waits) socket.emit('drain')
      return tell(head.status)
    }
    send(rest)
    if (ends) Reflect.apply(end, socket, [])
    else if (waits) socket.emit('drain')
    watch()
  }

  const splitter = isWebSocket ? createFrameSplitter() : undefined

  /** Sends bytes as far as they are paid for, and no frame in part. */
  const send = (bytes: Buffer): boolean => {
    let more = true
    for (const frame of splitter?.push(bytes) ?? [bytes]) {
      if (state !== 'open' || frame.length === 0) break
      const passed = flow?.pass(new Uint8Array(frame)) ?? { chunk: frame, stop: false }
      const isWhole = passed.chunk.length === frame.length
      if (isWhole || splitter === undefined) more = Reflect.apply(write, socket, [Buffer.from(passed.chunk)])
      if (passed.stop || !isWhole) stop()
    }
    return more
  }

  /** Ends what costs too much by time alone. */
  const watch = (): void => {
    const left = flow?.msLeft()
    if (left === undefined || state !== 'open' || told) return
    if (left === 0) stop()
    else timer = setTimeout(watch, Math.min(left, MAX_TIMER_MS))
  }

  /** The ceiling is reached. */
  const stop = (): void => {
    if (state !== 'open') return
    state = 'over'
    clearTimeout(timer)
    Reflect.apply(end, socket, splitter === undefined ? [] : [closeFrame(1008, 'payment-limit')])
    // Who goes on talking is not heard for nothing.
    timer = setTimeout(() => socket.destroy(), CLOSE_MS)
    timer.unref()
  }

  Object.assign(socket, {
    write: (chunk: unknown, ...rest: readonly unknown[]) => {
      callBack(rest)
      if (state === 'over') return true
      return state === 'open' ? send(bytesOf(chunk, rest[0])) : keep(chunk, rest[0])
    },
    end: (...args: readonly unknown[]) => {
      const [chunk, encoding] = args
      callBack(args)
      if (state === 'over') return socket
      const hasChunk = chunk != null && typeof chunk !== 'function'
      if (state === 'open') {
        if (hasChunk) send(bytesOf(chunk, encoding))
        if (state === 'open') Reflect.apply(end, socket, [])
        return socket
      }
      ends = true
      if (hasChunk) keep(chunk, encoding)
      if (state === 'head') refuse('handler_failed')
      return socket
    },
  })
  socket.once('close', () => {
    clearTimeout(timer)
    flow?.end()
    void tell(state === 'open' || state === 'over' ? 101 : undefined)
  })

  return {
    fail: () => {
      if (state === 'head') refuse('handler_failed')
      else socket.destroy()
    },
  }
}

const HEAD_END = '\r\n\r\n'
const MAX_HEAD_BYTES = 65_536
/** From here on a handler is asked to wait. */
const MAX_HELD_BYTES = 65_536
/** How long the other side has to answer that the socket is closed. */
const CLOSE_MS = 2_000
/** The longest that a timer waits. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The head of an answer, as a table. `undefined`: it is none. */
function parseHead(text: string): { readonly status: number; readonly table: HeaderTable; text(): string } | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const [, status] = /^HTTP\/1\.1 ([1-5][0-9]{2})(?: |$)/.exec(first) ?? []
  if (status === undefined) return undefined
  let fields = lines.flatMap((line) => {
    const at = line.indexOf(':')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1).trim()] as const] : []
  })
  const is = (wanted: string) => {
    const lower = wanted.toLowerCase()
    return ([name]: readonly [string, string]): boolean => name.toLowerCase() === lower
  }
  const table: HeaderTable = {
    get: (name) => {
      const found = fields.filter(is(name)).map(([, value]) => value)
      return found.length === 0 ? undefined : found.join(', ')
    },
    delete: (name) => {
      const named = is(name)
      fields = fields.filter((field) => !named(field))
    },
    set: (name, value) => {
      table.delete(name)
      fields.push(...[value].flat().map((each) => [name, each] as const))
    },
  }
  return {
    status: Number(status),
    table,
    text: () => [first, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n'),
  }
}

/** Node calls back when a write has been taken over; what is held is. */
function callBack(args: readonly unknown[]): void {
  const done = args.find((arg) => typeof arg === 'function')
  if (typeof done === 'function') queueMicrotask(() => done())
}
