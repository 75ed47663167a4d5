import type { Payer } from '../chain/rail.js'
import { isObject } from '../http/exchange.js'
import { expectThat, fail, notApplicable } from '../model/finding.js'
import type { Payment, Requirements } from '../wire/messages.js'
import { paymentFor } from './extended.js'
import { linkOverHttp, type Message } from './mcp-links.js'
import { type ServerStage, secret } from './stage.js'

/** What a call came to: a result, or an error of JSON-RPC. */
export type Reply = {
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: Readonly<Record<string, unknown>>
}

/** A connection to the MCP server of a target. */
export interface Mcp {
  /** Whether a call can be cancelled by it. */
  readonly lasts: boolean
  request(method: string, params?: object): Promise<Reply>
  /** Sends a request, and gives all that comes for it within the time; its number is known before. */
  begin(
    method: string,
    params: object,
    withinMs?: number,
  ): { readonly id: number; readonly heard: Promise<readonly Message[]> }
  tell(method: string, params?: object): Promise<void>
  /** Calls a tool with an order, and a payment perhaps. */
  call(tool: string, meta?: object, order?: unknown): Promise<Readonly<Record<string, unknown>>>
  /** A right payment for a tool, not sent yet. */
  pay(tool: string, payer?: Payer): Promise<Payment>
}

/** The keys of `_meta`, for version 2 and version 1 and from before the specification. */
export const metaKey = {
  payment: 'x402/payment',
  receipt: 'x402/payment-response',
  oldPayment: 'x402.payment',
  oldReceipt: 'x402.payment-response',
} as const

/** Connects. A target without an MCP server, or without one of these tools, is not asked. */
export async function connectMcp(stage: ServerStage, ...tools: readonly string[]): Promise<Mcp> {
  const link = stage.mcp ?? (await linkOverHttp(stage))

  const begin: Mcp['begin'] = (method, params, withinMs) => {
    const id = link.next()
    return { id, heard: link.send({ id, method, params }, withinMs) }
  }
  const request: Mcp['request'] = async (method, params = {}) => {
    const { id, heard } = begin(method, params)
    const reply = (await heard).find((message) => message.id === id)
    if (reply === undefined) fail(`${method} has no answer`, `a message with the id ${id}`, 'none')
    const { result, error } = reply
    return { ...(isObject(result) ? { result } : {}), ...(isObject(error) ? { error } : {}) }
  }

  const { result: listed } = await request('tools/list')
  const names = Array.isArray(listed?.tools) ? listed.tools.filter(isObject).map(({ name }) => name) : []
  for (const tool of tools) if (!names.includes(tool)) notApplicable(`the MCP server of the target has no tool ${tool}`)

  const call: Mcp['call'] = async (tool, meta, order = 'one') => {
    const params = { name: tool, arguments: { order }, ...(meta === undefined ? {} : { _meta: meta }) }
    const { result, error } = await request('tools/call', params)
    if (result === undefined) fail(`a call of ${tool} is an error of JSON-RPC`, 'a result', error)
    return result
  }
  return {
    lasts: link.lasts,
    request,
    begin,
    tell: (method, params = {}) => link.tell({ method, params }),
    call,
    async pay(tool, payer) {
      const required = challengeIn(await call(tool))
      const offer = offersOf(required).find(
        ({ scheme, network }) => scheme === 'exact' && network === stage.rail.network,
      )
      if (offer === undefined || !isObject(required?.resource))
        fail(`the tool ${tool} cannot be paid for`, 'a resource and an offer', required)
      return paymentFor(stage, { offer, resource: required.resource }, payer ?? (await stage.rail.payer(1_000_000n)))
    },
  }
}

/** The offers that a result holds, with all around them. */
export function challengeIn(result: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const { structuredContent } = result
  return result.isError === true && isObject(structuredContent) && Array.isArray(structuredContent.accepts)
    ? structuredContent
    : undefined
}

/** The offers of a challenge. */
export const offersOf = (challenge: Readonly<Record<string, unknown>> | undefined): readonly Requirements[] =>
  Array.isArray(challenge?.accepts) ? challenge.accepts.filter(isObject) : []

/** What stands in `_meta` of a result under a key. */
export function metaOf({ _meta }: Readonly<Record<string, unknown>>, key: string): unknown {
  return isObject(_meta) ? _meta[key] : undefined
}

/** The text of a result. */
export function textOf({ content }: Readonly<Record<string, unknown>>): string {
  const blocks = Array.isArray(content) ? content.filter(isObject) : []
  return String(blocks.find(({ type }) => type === 'text')?.text ?? '')
}

/** Fails unless the tool has given what it sells. */
export function expectServed(result: Readonly<Record<string, unknown>>, what = 'a payment that is right'): void {
  expectThat(
    result.isError !== true && textOf(result).includes(secret),
    `${what} does not get the result`,
    secret,
    result,
  )
}

/** Fails if the tool has given what it sells, or a receipt looks like it. */
export function expectNotServed(result: Readonly<Record<string, unknown>>, because: string): void {
  const isServed = result.isError !== true || JSON.stringify(result).includes(secret)
  expectThat(!isServed, `the result is given although ${because}`, 'an error result', result)
  const receipt = metaOf(result, metaKey.receipt)
  expectThat(
    !isObject(receipt) || receipt.success !== true,
    `a receipt says success although ${because}`,
    'none',
    receipt,
  )
}
