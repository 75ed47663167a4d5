import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { SandboxError } from '../sandbox-error.js'
import { createRuleBook, type RpcCall, type RpcFault, type RpcRule, type RuleBook, seededRandom } from './rules.js'

/** Where to forward to, and how to misbehave. */
export type RpcProxyOptions = {
  /** URL of the node to forward to. */
  readonly target: string
  /** The first rule that applies to a call decides; without one the call passes. */
  readonly rules?: readonly RpcRule[]
  /** For rules with a probability; 1 unless told. */
  readonly seed?: number
  /** Zero, the default, takes a free port. */
  readonly port?: number
}

/** A running proxy. */
export interface RpcProxy {
  readonly url: string
  /** Every call that came in, oldest first, with what was done to it. */
  readonly calls: ReadonlyArray<RpcCall & { readonly action: RpcFault['action'] }>
  /** How many calls came in: of one method, or of all. */
  count(method?: string): number
  /** How many calls came in, by method. */
  counts(): Record<string, number>
  /** Adds a rule before all others; the function it returns takes it out again. */
  use(rule: RpcRule): () => void
  /** Closes the port and every connection, hanging ones too. May be called again. */
  stop(): Promise<void>
}

/**
 * An HTTP JSON-RPC proxy that makes a node misbehave: slow, silent, lying, gone after it did the work.
 * Throws `port_taken`.
 *
 * @example
 * ```ts
 * const proxy = await startRpcProxy({
 *   target: chain.rpcUrl,
 *   rules: [{ method: 'eth_sendRawTransaction', nth: 1, fault: { action: 'drop', forward: true } }],
 * })
 * proxy.use({ method: 'eth_chainId', fault: { action: 'result', result: '0x1' } })
 * ```
 */
export async function startRpcProxy(options: RpcProxyOptions): Promise<RpcProxy> {
  const { target, rules = [], seed = 1, port = 0 } = options
  const book = createRuleBook(rules, seededRandom(seed))
  const calls: Inside['calls'] = []
  const inside: Inside = { target, book, calls, stopped: false }
  const server = createServer((request, response) => {
    exchange(request, response, inside).catch(() => response.destroy())
  })
  await listen(server, port)
  return {
    // A TCP server that listens has an AddressInfo.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    count: (method) => (method === undefined ? calls.length : calls.filter((call) => call.method === method).length),
    counts() {
      const counts: Record<string, number> = {}
      for (const { method } of calls) counts[method] = (counts[method] ?? 0) + 1
      return counts
    },
    use: book.use,
    stop: () =>
      new Promise((resolve) => {
        inside.stopped = true
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Inside = {
  readonly target: string
  readonly book: RuleBook
  readonly calls: Array<RpcProxy['calls'][number]>
  stopped: boolean
}
type Message = { readonly [key: string]: unknown }
type Planned = { readonly message: Message; readonly call: RpcCall; readonly fault: RpcFault }

async function exchange(request: IncomingMessage, response: ServerResponse, proxy: Inside): Promise<void> {
  const text = await readText(request)
  const { batch, list } = parseMessages(text)
  const planned = list.map((message): Planned => {
    const call = { method: String(message.method), params: message.params }
    const fault = proxy.book.faultFor(call)
    proxy.calls.push({ ...call, action: fault.action })
    return { message, call, fault }
  })

  const wait = Math.max(0, ...planned.map(({ fault }) => (fault.action === 'delay' ? fault.ms : 0)))
  if (wait > 0) await sleep(wait, undefined, { ref: false })
  if (proxy.stopped) return
  const untouched = planned.every(({ fault }) => fault.action === 'pass' || fault.action === 'delay')
  if (untouched) return send(response, await forward(proxy, text))

  const whole = wholeFault(planned)
  const reaching = planned.filter(({ fault }) => (whole ? whole.forward : !answersItself(fault) || fault.forward))
  const upstream = reaching.length > 0 ? await forward(proxy, encode(reaching, batch)) : undefined
  if (whole?.action === 'hang') return
  if (whole?.action === 'drop') return void response.destroy()
  if (whole?.action === 'status') return send(response, { status: whole.status, text: '' })
  if (upstream !== undefined && upstream.status !== 200) return send(response, upstream)

  const answers = new Map(parseMessages(upstream?.text ?? '').list.map((answer) => [answer.id, answer]))
  const asked = planned.filter(({ message }) => 'id' in message)
  const replies = asked.flatMap((each) => reply(each, answers.get(each.message.id)) ?? [])
  send(response, { status: 200, text: JSON.stringify(batch ? replies : replies[0]) ?? '' })
}

type WholeFault = Extract<RpcFault, { action: 'drop' | 'hang' | 'status' }>
type OwnAnswer = Extract<RpcFault, { action: 'error' | 'result' }>

function wholeFault(planned: readonly Planned[]): WholeFault | undefined {
  for (const { fault } of planned) {
    if (fault.action === 'drop' || fault.action === 'hang' || fault.action === 'status') return fault
  }
  return undefined
}

function answersItself(fault: RpcFault): fault is OwnAnswer {
  return fault.action === 'error' || fault.action === 'result'
}

function reply({ message: { id }, call, fault }: Planned, answer: Message | undefined): Message | undefined {
  if (fault.action === 'error') {
    const { code, message, data } = fault
    return { jsonrpc: '2.0', id, error: { code, message, ...(data !== undefined && { data }) } }
  }
  if (fault.action === 'result') return { jsonrpc: '2.0', id, result: fault.result }
  if (fault.action === 'rewrite' && answer !== undefined && 'result' in answer) {
    return { ...answer, result: fault.rewrite(answer.result, call) }
  }
  return answer
}

function parseMessages(text: string): { batch: boolean; list: Message[] } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { batch: false, list: [] }
  }
  const isMessage = (each: unknown): each is Message => typeof each === 'object' && each !== null
  return { batch: Array.isArray(value), list: (Array.isArray(value) ? value : [value]).filter(isMessage) }
}

function encode(planned: readonly Planned[], batch: boolean): string {
  const messages = planned.map(({ message }) => message)
  return JSON.stringify(batch ? messages : messages[0])
}

type Upstream = { readonly status: number; readonly text: string }

/** A node that is down looks as it does behind a load balancer. */
async function forward({ target }: Inside, body: string): Promise<Upstream> {
  const headers = { 'content-type': 'application/json' }
  try {
    const response = await fetch(target, { method: 'POST', headers, body })
    return { status: response.status, text: await response.text() }
  } catch {
    return { status: 502, text: '' }
  }
}

function send(response: ServerResponse, { status, text }: Upstream): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(text)
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new SandboxError('port_taken', `Port ${port} on 127.0.0.1 cannot be had.`, { cause }))
    })
    server.listen(port, '127.0.0.1', resolve)
  })
}
