import { isObject } from '../http/exchange.js'
import { fail } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { openLines, patiently, usualAnswerMs } from './lines.js'
import type {
  CallAnswer,
  ClientAnswer,
  ClientCall,
  ClientEndpoint,
  ClientMessage,
  ClientRequest,
  MessageAnswer,
  RefundAnswer,
} from './manifest.js'
import { startCommand } from './process.js'

/** A client that can be asked to request something. */
export interface ClientSession {
  /** What it did. A client that says nothing, or nothing readable, fails the check. */
  fetch(request: ClientRequest): Promise<ClientAnswer>
  /** What came of a call over MCP; a client that has no such thing has no such member. */
  readonly call?: (call: ClientCall) => Promise<CallAnswer>
  /** What came of a message over A2A. */
  readonly message?: (message: ClientMessage) => Promise<MessageAnswer>
  /** What came of asking for money back, after a request that was paid for. */
  readonly refund?: (request: ClientRequest) => Promise<RefundAnswer>
  /** Extensions that it says it knows. */
  readonly extensions: readonly string[]
  close(): Promise<void>
}

/** Opens a client. Throws `UnreachableError` when it does not say hello. */
export async function openClient(endpoint: ClientEndpoint, answerMs = usualAnswerMs): Promise<ClientSession> {
  const { fetch, call, message, refund, ...session } = await sessionOf(endpoint, answerMs)
  const limits = { what: 'client', answerMs }
  return {
    ...session,
    fetch: patiently(fetch, limits),
    ...(call && { call: patiently(call, limits) }),
    ...(message && { message: patiently(message, limits) }),
    ...(refund && { refund: patiently(refund, limits) }),
  }
}

async function sessionOf(endpoint: ClientEndpoint, answerMs: number): Promise<ClientSession> {
  if ('fetch' in endpoint) {
    const { fetch, call, message, refund, extensions = [] } = endpoint
    return {
      fetch: (request) => inTime(fetch(request), answerMs),
      ...(call && { call: (asked) => inTime(call(asked), answerMs) }),
      ...(message && { message: (asked) => inTime(message(asked), answerMs) }),
      ...(refund && { refund: (asked) => inTime(refund(asked), answerMs) }),
      extensions,
      close: async () => {},
    }
  }
  return endpoint.protocol === 'exec' ? execSession(endpoint, answerMs) : stdioSession(endpoint, answerMs)
}

type Command = Extract<ClientEndpoint, { readonly start: string }>

/** One process for all requests: a line of JSON each way, told apart by `seq`. */
async function stdioSession(command: Command, answerMs: number): Promise<ClientSession> {
  const lines = await openLines(command, 'client', answerMs)
  const { cmds, extensions } = lines.hello
  const knows = (cmd: string) => Array.isArray(cmds) && cmds.includes(cmd)
  return {
    fetch: async (request) => decodeAnswer(await lines.ask({ cmd: 'fetch', ...request })),
    ...(knows('call') && { call: async (asked) => decodeResult(await lines.ask({ cmd: 'call', ...asked })) }),
    ...(knows('message') && { message: async (asked) => decodeTask(await lines.ask({ cmd: 'message', ...asked })) }),
    ...(knows('refund') && { refund: async (asked) => decodeRefund(await lines.ask({ cmd: 'refund', ...asked })) }),
    extensions: Array.isArray(extensions) ? extensions.map(String) : [],
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
    extensions: [],
    close: async () => {},
  }
}

// Each member is looked at; what else stands there is shown in findings and not used.
const decodeAnswer = (value: unknown): ClientAnswer =>
  decoded(value, ({ status }) => typeof status === 'number', '{"ok":{"status":200}}') as ClientAnswer

const decodeResult = (value: unknown): CallAnswer =>
  decoded(value, ({ result }) => isObject(result), '{"ok":{"result":{"content":[]}}}') as CallAnswer

const decodeTask = (value: unknown): MessageAnswer => {
  const fits = ({ state, texts }: Members) => typeof state === 'string' && Array.isArray(texts)
  return decoded(value, fits, '{"ok":{"state":"completed","texts":[]}}') as MessageAnswer
}

const decodeRefund = (value: unknown): RefundAnswer =>
  decoded(value, ({ status }) => typeof status === 'string', '{"ok":{"status":"pending"}}') as RefundAnswer

type Members = Readonly<Record<string, unknown>>

function decoded(value: unknown, fits: (ok: Members) => boolean, form: string): Members {
  if (isObject(value)) {
    if (isObject(value.ok) && fits(value.ok)) return value
    if (isObject(value.refused) || isObject(value.error) || isObject(value.skipped)) return value
  }
  return fail('the client answers with something else than ok, refused, error or skipped', form, value)
}

async function inTime<A>(answer: Promise<A>, answerMs: number): Promise<A> {
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
