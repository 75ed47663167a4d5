import { isObject } from '../http/exchange.js'
import { fail } from '../model/finding.js'
import type { ClientAnswer, ClientEndpoint, ClientRequest } from './manifest.js'
import { startCommand, UnreachableError } from './process.js'

/** A client that can be asked to request something. */
export interface ClientSession {
  /** What it did. A client that says nothing, or nothing readable, fails the check. */
  fetch(request: ClientRequest): Promise<ClientAnswer>
  close(): Promise<void>
}

const answerMs = 60_000
const helloMs = 30_000

/** Opens a client. Throws `UnreachableError` when it does not say hello. */
export async function openClient(endpoint: ClientEndpoint): Promise<ClientSession> {
  if ('fetch' in endpoint) return { fetch: (request) => inTime(endpoint.fetch(request)), close: async () => {} }
  return endpoint.protocol === 'exec' ? execSession(endpoint) : stdioSession(endpoint)
}

type Command = Extract<ClientEndpoint, { readonly start: string }>

/** One process for all requests: a line of JSON each way, told apart by `seq`. */
async function stdioSession({ start, cwd, env = {} }: Command): Promise<ClientSession> {
  const started = startCommand(start, env, cwd)
  const waiting = new Map<number, (answer: unknown) => void>()
  let seq = 0
  let ended = false

  const ask = (command: object, timeoutMs: number): Promise<unknown> => {
    seq += 1
    const mine = seq
    return new Promise((resolve) => {
      if (ended) return resolve(undefined)
      const timer = setTimeout(() => finish(undefined), timeoutMs)
      const finish = (answer: unknown) => {
        clearTimeout(timer)
        waiting.delete(mine)
        resolve(answer)
      }
      waiting.set(mine, finish)
      started.write(JSON.stringify({ seq: mine, ...command }))
    })
  }

  async function read(): Promise<void> {
    for (;;) {
      const line = await started.line(2 ** 30)
      if (line === undefined) break
      const value = parse(line)
      if (isObject(value) && typeof value.seq === 'number') waiting.get(value.seq)?.(value)
    }
    ended = true
    for (const finish of [...waiting.values()]) finish(undefined)
  }
  const reading = read()

  const hello = await ask({ cmd: 'hello', protocol: 1 }, helloMs)
  if (!isObject(hello) || !isObject(hello.ok)) {
    await started.stop()
    throw new UnreachableError(`\`${start}\` does not answer hello\n${started.complaints()}`.trimEnd())
  }
  return {
    async fetch(request) {
      const answer = await ask({ cmd: 'fetch', ...request }, answerMs)
      if (answer !== undefined) return decodeAnswer(answer)
      return fail(
        ended ? 'the client ended in the middle of a request' : `the client did not answer within ${answerMs / 1000} s`,
        'a line of JSON',
        started.complaints(),
      )
    },
    async close() {
      await started.stop()
      await reading
    },
  }
}

/** A process for every request: the URL is its last argument, the rest is in a variable. */
function execSession({ start, cwd, env = {} }: Command): ClientSession {
  return {
    async fetch(request) {
      const command = `${start} ${JSON.stringify(request.request.url)}`
      const started = startCommand(command, { ...env, X402_CONFORM_REQUEST: JSON.stringify(request) }, cwd)
      try {
        for (;;) {
          const line = await started.line(answerMs)
          if (line === undefined) return fail('the client wrote no line of JSON', '{"ok":…}', started.complaints())
          const value = parse(line)
          if (isObject(value)) return decodeAnswer(value)
        }
      } finally {
        await started.stop()
      }
    },
    close: async () => {},
  }
}

function decodeAnswer(value: unknown): ClientAnswer {
  if (isObject(value)) {
    if (isObject(value.ok) && typeof value.ok.status === 'number') return value as ClientAnswer
    if (isObject(value.refused) || isObject(value.error) || isObject(value.skipped)) return value as ClientAnswer
  }
  return fail(
    'the client answers with something else than ok, refused, error or skipped',
    '{"ok":{"status":200}}',
    value,
  )
}

async function inTime(answer: Promise<ClientAnswer>): Promise<ClientAnswer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), answerMs)
  })
  try {
    const found = await Promise.race([answer, late])
    return found ?? fail(`the client did not answer within ${answerMs / 1000} s`)
  } finally {
    clearTimeout(timer)
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
