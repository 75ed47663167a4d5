import type { ServerResponse } from 'node:http'
import { type Answer, changedHeaders, type HeaderFields } from '../answer.js'
import type { StreamEnd, StreamReply } from '../stream.js'
import { applyHead, bytesOf, fieldsOf, tableOf } from './node-response.js'

/**
 * Lets a response leave as its handler makes it, with the gate's last word on its head, a copy of what was sent while that is small, and
 * word of how it ended. `before`: the headers that stood before the work.
 */
export function passResponse(res: ServerResponse, reply: StreamReply, before: HeaderFields = fieldsOf(res)): void {
  const { writeHead, write, end, flushHeaders } = res
  let sealed = false
  let ended = false
  let made: Pick<Answer, 'headers' | 'removed'> = { headers: {} }
  let chunks: Buffer[] | undefined = []
  let size = 0

  const seal = (): void => {
    if (sealed) return
    sealed = true
    made = changedHeaders(before, fieldsOf(res))
    reply.head(tableOf(res))
  }

  const keep = (chunk: unknown, encoding: unknown): void => {
    if (chunk == null || typeof chunk === 'function') return
    const bytes = bytesOf(chunk, encoding)
    size += bytes.length
    if (size > reply.keepBytes) chunks = undefined
    else chunks?.push(bytes)
  }

  const tell = (complete: boolean): void => {
    if (ended) return
    ended = true
    void reply.ended(endOf(complete))
  }

  const endOf = (complete: boolean): StreamEnd => {
    if (!sealed) return { complete }
    const status = res.statusCode
    if (!complete || chunks === undefined) return { status, complete }
    return { status, complete, answer: { status, ...made, body: Buffer.concat(chunks) } }
  }

  Object.assign(res, {
    writeHead: (status: number, ...rest: readonly unknown[]) => {
      // What it is given goes where the gate can still have the last word.
      applyHead(res, status, rest)
      seal()
      return Reflect.apply(writeHead, res, [status])
    },
    flushHeaders: () => {
      seal()
      Reflect.apply(flushHeaders, res, [])
    },
    write: (chunk: unknown, ...rest: readonly unknown[]) => {
      seal()
      keep(chunk, rest[0])
      return Reflect.apply(write, res, [chunk, ...rest])
    },
    end: (...args: readonly unknown[]) => {
      seal()
      keep(args[0], args[1])
      const { last } = reply
      if (last === undefined || res.statusCode >= 400) return Reflect.apply(end, res, args)
      const [chunk] = args
      const done = args.find((arg) => typeof arg === 'function')
      if (chunk != null && typeof chunk !== 'function') Reflect.apply(write, res, [chunk, encodingOf(args[1])])
      void last.call(reply).then((event) => {
        const isEvents = String(res.getHeader('content-type') ?? '').startsWith('text/event-stream')
        Reflect.apply(end, res, [...(event !== undefined && isEvents ? [event] : []), ...(done ? [done] : [])])
      })
      return res
    },
  })
  res.once('finish', () => tell(true))
  res.once('close', () => tell(res.writableFinished))
}

function encodingOf(value: unknown): BufferEncoding | undefined {
  return typeof value === 'string' && Buffer.isEncoding(value) ? value : undefined
}
