import type { Answer } from '../http/exchange.js'
import { isObject, jsonIn } from '../http/exchange.js'
import { fail, notApplicable, untestable } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import type { Exchange } from '../model/result.js'
import type { Started } from '../target/process.js'
import type { ServerStage } from './stage.js'

/** A message of JSON-RPC. */
export type Message = Readonly<Record<string, unknown>>

/** A way to an MCP server. */
export interface McpLink {
  /** Sends a request, and gives all that came for it: the answer is the last. None within the time, if one is told, is no failure. */
  send(message: Message & { readonly id: number }, withinMs?: number): Promise<readonly Message[]>
  /** A number for a request. */
  next(): number
  /** Whether a later message can speak of an earlier one. */
  readonly lasts: boolean
  /** Sends what has no answer. */
  tell(message: Message): Promise<void>
}

const protocolVersion = '2025-06-18'
const clientInfo = { name: 'groat conform', version: '1' }
const hello = { id: 0, method: 'initialize', params: { protocolVersion, capabilities: {}, clientInfo } }
const ready = { method: 'notifications/initialized' }

const route = 'mcp'

/** Over streamable HTTP. A target without an MCP server is not asked. */
export async function linkOverHttp(stage: ServerStage): Promise<McpLink> {
  let session: Readonly<Record<string, string>> = {}
  const headers = () => ({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...session,
  })
  const post = (message: Message) => stage.ask(route, headers(), 'POST', JSON.stringify({ jsonrpc: '2.0', ...message }))

  const greeted = await post(hello)
  const isServer = messagesIn(greeted).some(({ result }) => isObject(result) && 'protocolVersion' in result)
  if (greeted.status !== 200 || !isServer) {
    if (stage.claims(route)) fail('/conformance/mcp is no MCP server', 'a result for initialize', greeted.status)
    notApplicable('the target has no MCP server at /conformance/mcp')
  }
  const sessionId = greeted.headers['mcp-session-id']
  session = {
    'mcp-protocol-version': protocolVersion,
    ...(sessionId === undefined ? {} : { 'mcp-session-id': sessionId }),
  }
  await post(ready)
  return {
    next: counter(),
    lasts: sessionId !== undefined,
    async send(message, withinMs) {
      if (withinMs === undefined) return messagesIn(await post(message))
      const body = JSON.stringify({ jsonrpc: '2.0', ...message })
      const found = await stage.http.attempt({
        method: 'POST',
        url: stage.url(route),
        headers: headers(),
        body,
        timeoutMs: withinMs,
      })
      return 'silent' in found ? [] : messagesIn(found)
    },
    async tell(message) {
      await post(message)
    },
  }
}

/** Over the standard input and output of a program, which has been started. */
export async function linkOverStdio(
  started: Started,
  note: (exchange: Omit<Exchange, 'at'>) => void,
): Promise<McpLink> {
  const listening = new Map<number, (message: Message | undefined) => void>()
  let over = false
  const write = (message: Message) => started.write(JSON.stringify({ jsonrpc: '2.0', ...message }))

  async function read(): Promise<void> {
    for (;;) {
      const line = await started.line(2 ** 30)
      const message = line === undefined ? undefined : parseJson(line)
      if (line === undefined) break
      if (!isObject(message)) continue
      // What has no id of ours may belong to any request that is under way.
      const own = typeof message.id === 'number' ? [listening.get(message.id)] : [...listening.values()]
      for (const tell of own) tell?.(message)
    }
    over = true
    for (const tell of [...listening.values()]) tell(undefined)
  }

  const send: McpLink['send'] = (message, withinMs = 20_000) =>
    new Promise((resolve) => {
      const heard: Message[] = []
      const end = () => {
        clearTimeout(timer)
        listening.delete(message.id)
        const told = { who: 'kit → target', method: String(message.method), url: 'stdio' }
        note({
          ...told,
          requestBody: JSON.stringify(message),
          responseBody: heard.map((each) => JSON.stringify(each)).join('\n'),
        })
        resolve(heard)
      }
      const timer = setTimeout(end, withinMs)
      if (over) return end()
      listening.set(message.id, (came) => {
        if (came !== undefined) heard.push(came)
        if (came === undefined || came.id === message.id) end()
      })
      write(message)
    })

  void read()
  const greeted = await send(hello)
  if (greeted.at(-1)?.result === undefined)
    fail('the program is no MCP server', 'a result for initialize', started.complaints() || 'nothing')
  write(ready)
  return { next: counter(), lasts: true, send, tell: async (message) => write(message) }
}

/** How often the work of an MCP server was done, where it is nothing else: by its free tool `hits`. */
export async function hitsOver(link: McpLink): Promise<unknown> {
  const id = link.next()
  const heard = await link.send({ id, method: 'tools/call', params: { name: 'hits', arguments: {} } })
  const reply = heard.find((message) => message.id === id)
  if (reply === undefined) fail('a call of hits has no answer', `a message with the id ${id}`, 'none')
  const { result } = reply
  const { content } = isObject(result) ? result : {}
  const [block] = Array.isArray(content) ? content.filter(isObject) : []
  const counts = parseJson(String(block?.text ?? ''))
  return isObject(counts) ? counts : untestable('the target does not count its work: there is no tool hits')
}

function counter(): () => number {
  let last = 0
  return () => {
    last += 1
    return last
  }
}

/** The messages of an answer, which is JSON or a stream of events. */
function messagesIn(answer: Answer): readonly Message[] {
  if (!answer.headers['content-type']?.includes('text/event-stream')) {
    const found = jsonIn(answer)
    return (Array.isArray(found) ? found : [found]).filter(isObject)
  }
  return answer.text
    .split(/\r?\n\r?\n/)
    .map((event) =>
      parseJson(
        event
          .split(/\r?\n/)
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5))
          .join('\n'),
      ),
    )
    .filter(isObject)
}
