import { isObject } from '../http/exchange.js'
import { fail } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { openLines, patiently, usualAnswerMs } from './lines.js'
import type { ClientAnswer, ClientEndpoint, ClientRequest } from './manifest.js'
import { startCommand } from './process.js'

/** A client that can be asked to request something. */
export interface ClientSession {
  /** What it did. A client that says nothing, or nothing readable, fails the check. */
  fetch(request: ClientRequest): Promise<ClientAnswer>
  close(): Promise<void>
}

/** Opens a client. Throws `UnreachableError` when it does not say hello. */
export async function openClient(endpoint: ClientEndpoint, answerMs = usualAnswerMs): Promise<ClientSession> {
  const { fetch, close } = await sessionOf(endpoint, answerMs)
  return { fetch: patiently(fetch, { what: 'client', answerMs }), close }
}

async function sessionOf(endpoint: ClientEndpoint, answerMs: number): Promise<ClientSession> {
  if ('fetch' in endpoint)
    return { fetch: (request) => inTime(endpoint.fetch(request), answerMs), close: async () => {} }
  return endpoint.protocol === 'exec' ? execSession(endpoint, answerMs) : stdioSession(endpoint, answerMs)
}

type Command = Extract<ClientEndpoint, { readonly start: string }>

/** One process for all requests: a line of JSON each way, told apart by `seq`. */
async function stdioSession(command: Command, answerMs: number): Promise<ClientSession> {
  const lines = await openLines(command, 'client', answerMs)
  return {
    fetch: async (request) => decodeAnswer(await lines.ask({ cmd: 'fetch', ...request })),
    close: () => lines.close(),
  }
}

/** A process for every request: the URL is its last argument, the rest is in a variable. */
function execSession({ start, cwd, env = {} }: Command, answerMs: number): ClientSession {
  return {
    async fetch(request) {
      const command = `${start} ${JSON.stringify(request.request.url)}`
      const started = startCommand(command, { ...env, X402_CONFORM_REQUEST: JSON.stringify(request) }, cwd)
      try {
        for (;;) {
          const line = await started.line(answerMs)
          if (line === undefined) return fail('the client wrote no line of JSON', '{"ok":…}', started.complaints())
          const value = parseJson(line)
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

async function inTime(answer: Promise<ClientAnswer>, answerMs: number): Promise<ClientAnswer> {
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
