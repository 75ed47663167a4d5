import type { Payer, PaymentOutcome, PaymentReceipt, Quote } from '@groat/client'
import { carriedPayment } from '@groat/client/transport'
import { isJsonObject, type JsonObject, X402Error } from '@groat/core'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  type CallToolRequest,
  type CallToolResult,
  CallToolResultSchema,
  ErrorCode,
  McpError,
  type ReadResourceRequest,
  type ReadResourceResult,
  ReadResourceResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { resourceUrl, toolUrl } from '../wire.js'
import { answered, challenged, challengeIn, metaOfPayment, type Names } from './exchange.js'

/** A client of the official SDK, of any kind. */
export type McpClient = Pick<Client, 'request'>

/** What is paid through, and under which name. */
export type PayingClientOptions = {
  /**
   * The server as policies, budgets and receipts know it: its URL. One over stdio runs on this machine: name it `http://localhost/NAME`, for a policy
   * takes loopback for granted.
   */
  readonly server: string | URL
}

/** What a call may say beside what the SDK knows. */
export type CallOptions = RequestOptions & {
  /** Names the logical call: every call with this key presents one and the same payment. */
  readonly idempotencyKey?: string
  /** What it is for, to be kept with the payment; nobody else is told. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** Calls tools and reads resources, and pays for them within the policy of its payer. */
export type PayingClient = {
  /**
   * As the SDK's `callTool`. A result that asks for payment is paid for; where the policy refuses, it comes back as it is, and `outcome` tells why.
   * Throws what the SDK throws before payment, and `X402Error` as a payer's `fetch` does: after `payment_unresolved` the same call presents
   * the same payment. The SDK's options `timeout` and `onprogress` hold for every attempt.
   */
  readonly callTool: (params: CallToolRequest['params'], options?: CallOptions) => Promise<CallToolResult>
  /** As the SDK's `readResource`; a challenge that cannot be paid is thrown as the `McpError` that it came in. */
  readonly readResource: (params: ReadResourceRequest['params'], options?: CallOptions) => Promise<ReadResourceResult>
  /** Calls a tool without payment and tells what it would cost. Signs nothing; a tool that is free has run. */
  readonly quote: (params: CallToolRequest['params'], options?: CallOptions) => Promise<Quote>
  /** The receipt that came with a result of this client. */
  readonly receipt: (result: object) => PaymentReceipt | undefined
  /** How payment went for a result, or for an error that was thrown; `undefined` when none was asked for. */
  readonly outcome: (result: object) => PaymentOutcome | undefined
}

/**
 * Makes a client of the official MCP SDK pay, with a payer or a buyer of `@groat/client`: its schemes, policy, budgets, intents and receipts, unchanged.
 * Nothing is wrapped: the SDK's client stays usable beside it. Throws `X402Error` `invalid_config` for a server that is no http(s) URL. Requirements:
 * MCP-030 to MCP-041.
 *
 * @example
 * const paying = payingClient(client, payer, { server: 'https://mcp.example/mcp' })
 * const result = await paying.callTool({ name: 'forecast', arguments: { city: 'Oslo' } })
 * paying.receipt(result)?.transaction
 */
export function payingClient(client: McpClient, payer: Payer, { server }: PayingClientOptions): PayingClient {
  const base = serverUrl(server)
  // A key in the query of the URL is this client's, and no seller names it.
  const own = [...new Set([base.href, base.origin + base.pathname])]
  const outcomes = new WeakMap<object, PaymentOutcome>()

  async function call<Result extends object>(
    request: PaidRequest,
    send: Send<Result>,
    { idempotencyKey, metadata, ...options }: CallOptions = {},
  ): Promise<Result> {
    const exchange = createExchange(request.names, send, options)
    const response = await payer.fetch(request.names.url, {
      ...initOf(request, options),
      fetch: exchange.fetch,
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      ...(metadata && { metadata }),
    })
    const said = exchange.said(response)
    const outcome = payer.outcome(response)
    if (outcome !== undefined) outcomes.set('result' in said ? said.result : said.error, outcome)
    if ('error' in said) throw said.error
    return said.result
  }

  const toolCall = (params: CallToolRequest['params']) => {
    const { _meta, ...rest } = params
    const send: Send<CallToolResult> = (meta, options) =>
      client.request(
        { method: 'tools/call', params: { ...rest, _meta: { ..._meta, ...meta } } },
        CallToolResultSchema,
        options,
      )
    const { name } = params
    const names = { url: named(base, 'tool', name), aliases: [toolUrl(name), `mcp://tool/${name}`, ...own] }
    return { request: { names, params: { name, arguments: params.arguments ?? {} } }, send }
  }

  return {
    callTool: (params, options) => {
      const { request, send } = toolCall(params)
      return call(request, send, options)
    },

    readResource: (params, options) => {
      const { uri, _meta } = params
      const send: Send<ReadResourceResult> = (meta, options) =>
        client.request(
          { method: 'resources/read', params: { uri, _meta: { ..._meta, ...meta } } },
          ReadResourceResultSchema,
          options,
        )
      const names = { url: named(base, 'resource', uri), aliases: [resourceUrl(uri), uri, ...own] }
      return call({ names, params: { uri } }, send, options)
    },

    quote: (params, { idempotencyKey: _, metadata, ...options } = {}) => {
      const { request, send } = toolCall(params)
      const { fetch } = createExchange(request.names, send, options)
      return payer.quote(request.names.url, { ...initOf(request, options), fetch, ...(metadata && { metadata }) })
    },

    outcome: (result) => outcomes.get(result),

    receipt: (result) => {
      const outcome = outcomes.get(result)
      return outcome !== undefined && 'receipt' in outcome ? outcome.receipt : undefined
    },
  }
}

type PaidRequest = { readonly names: Names; readonly params: object }

/** Sends the request once, with this in its `_meta`. */
type Send<Result> = (meta: Record<string, unknown>, options: RequestOptions) => Promise<Result>

/** What was said in the end: a result, or an error that is an answer. */
type Said<Result> = { readonly result: Result } | { readonly error: McpError }

/** The request as the payer knows it: by this body the same call has the same payment. */
function initOf({ params }: PaidRequest, { signal }: RequestOptions): RequestInit {
  return { method: 'POST', body: JSON.stringify(params), ...(signal && { signal }) }
}

/** The way from the payer's requests to the SDK's client, for one call. */
function createExchange<Result extends object>(names: Names, send: Send<Result>, options: RequestOptions) {
  const said = new WeakMap<Response, Said<Result>>()
  // What the seller calls it is what the payment must say; without a challenge it is the usual name.
  let sellers = names.aliases[0] ?? names.url
  const asked = (required: JsonObject, said: unknown): Response => {
    const { response, named } = challenged(required, said, names)
    sellers = named
    return response
  }
  return {
    said: (response: Response): Said<Result> => {
      const found = said.get(response)
      if (found === undefined)
        throw new X402Error('payment_unresolved', { reason: 'the answer is not one of this call' })
      return found
    },
    fetch: async (_: unknown, init?: RequestInit): Promise<Response> => {
      const carried = carriedPayment(new Headers(init?.headers))
      const { version } = carried
      const { signal } = init ?? {}
      let response: Response
      try {
        const result = await send(metaOfPayment(carried, names, sellers), { ...options, ...(signal && { signal }) })
        const object: JsonObject = isJsonObject(result) ? result : {}
        const required = challengeIn(object)
        const problem = object.isError === true ? (object.structuredContent ?? {}) : undefined
        response = required === undefined ? answered(object, version, problem) : asked(required, object)
        said.set(response, { result })
      } catch (error) {
        if (!(error instanceof McpError) || LOST.includes(error.code)) throw error
        const { code, data } = error
        const required = challengeIn({ code, data })
        response = required === undefined ? answered(data, version, data ?? {}) : asked(required, data)
        said.set(response, { error })
      }
      return response
    },
  }
}

/** Errors of the SDK itself: nobody knows whether the request was served. */
const LOST: readonly number[] = [ErrorCode.ConnectionClosed, ErrorCode.RequestTimeout]

/** A path of its own for each thing that is sold: what is owned of one is not shown for another. */
function named(base: URL, kind: 'tool' | 'resource', name: string): string {
  const url = new URL(base)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${kind}/${encodeURIComponent(name)}`
  return url.href
}

function serverUrl(server: string | URL): URL {
  const url = URL.canParse(String(server)) ? new URL(String(server)) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new X402Error('invalid_config', {
      field: 'server',
      problem: 'is no http(s) URL; one over stdio is http://localhost/NAME',
    })
  }
  url.hash = ''
  return url
}
