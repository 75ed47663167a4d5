import { asciiJson, canonicalJson, type Json, problem, sha256Hex, X402Error } from '@groat/core'
import {
  type GateRequest,
  paywall as httpPaywall,
  PaymentRequiredError,
  type Paywall,
  type PaywallOptions,
  type Price,
  type RouteInput,
  type RouteOptions,
  type VerifiedPayment,
} from '@groat/server'
import { type GateAnswer, readGateAnswer } from '@groat/server/transport'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  type CallToolResult,
  ErrorCode,
  McpError,
  type ReadResourceResult,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'
import { type Meta, PAYMENT_ERROR_CODES, resourceUrl, toolUrl } from '../wire.js'
import { metaOf, readAsked, withMeta } from './exchange.js'
import { declareTool, endpointOf, type ToolInput } from './listing.js'

/** What the SDK gives a handler beside its arguments. */
export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

/** What a paid handler is given: the SDK's own (its signal, notifications, session), and the payment that it is run for. */
export type PaidExtra = Extra & { readonly payment: VerifiedPayment }

/** What a call is priced by, when the price depends on it. */
export type Call = { readonly name: string; readonly arguments: Json | undefined }

/** What a tool or resource costs. The unpaid and the paid call must get the same answer. */
export type CallPrice = (call: Call) => Price | Promise<Price>

/** How a tool or resource is sold: as a route of `@groat/server` is, except that a price function sees the call. */
export type CallRoute = Price | CallPrice | CallOptions

type CallOptions = Omit<RouteOptions, 'price' | 'name'> & { readonly price?: Price | CallPrice }

/** How a tool is sold. With `extensions: { bazaar: true }` its name, `description` and `inputSchema` are what catalogues say of it. */
export type ToolRoute =
  | CallRoute
  | (CallOptions & {
      /** What `registerTool` is given as `inputSchema`, or a JSON Schema; for catalogues only. */
      readonly inputSchema?: ToolInput
    })

/** What all tools and resources behind one paywall share: as for HTTP, but for where the server is. */
export type McpPaywallOptions = Omit<PaywallOptions, 'origin'> & {
  /**
   * The URL at which clients reach this server over streamable HTTP. Tools are offered under it then, and not as `mcp://tool/NAME`: catalogues list what is sold by the endpoint and the
   * tool's name (BAZAAR-007). Without it, as over stdio, nothing can be listed.
   */
  readonly endpoint?: string | URL
}

/** The callback that the SDK runs: with arguments, or without for a tool that takes none. */
export type ToolCallback<Args> = {
  (extra: Extra): Promise<CallToolResult>
  (args: Args, extra: Extra): Promise<CallToolResult>
}

/** The callback of a resource at a URI, or of a template with its variables. */
export type ResourceCallback<Variables> = {
  (uri: URL, extra: Extra): Promise<ReadResourceResult>
  (uri: URL, variables: Variables, extra: Extra): Promise<ReadResourceResult>
}

/** Puts prices before the callbacks of an MCP server. */
export interface McpPaywall {
  /**
   * A callback for `registerTool`: the handler runs once for a payment. `name` is the tool's: it stands in the challenge as `mcp://tool/NAME`, or
   * the server's `endpoint` does.
   * The handler's result is sold unless it has `isError`. Make it once and register it on the server of every session.
   * Throws `X402Error` for what is wrong in the route, and `duplicate_route`.
   */
  tool<Args = undefined>(
    name: string,
    route: ToolRoute,
    handler: (args: Args, extra: PaidExtra) => CallToolResult | Promise<CallToolResult>,
  ): ToolCallback<Args>
  /**
   * A callback for `registerResource`. A challenge is a JSON-RPC error with code -32042 and `PaymentRequired` as its data, for a result of
   * `resources/read` has no room for one. Throws as `tool` does.
   */
  resource<Variables = undefined>(
    name: string,
    route: CallRoute,
    handler: (uri: URL, extra: PaidExtra, variables: Variables) => ReadResourceResult | Promise<ReadResourceResult>,
  ): ResourceCallback<Variables>
  /** As for HTTP: asks the facilitator what it supports and checks every route. Call it before connecting. */
  readonly ready: Paywall<unknown>['ready']
}

/**
 * A paywall for MCP servers of the official SDK. It is the gate of `@groat/server`, with its modes, claims and stored answers: `_meta` stands for the
 * headers, a tool result for the response. Whoever presents a payment again, for the same arguments, gets the answer again; the handler
 * does not run twice.
 * Throws `X402Error` for what is wrong in the configuration. Requirements: MCP-001 to MCP-017.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * const forecast = paid.tool('forecast', '$0.001', async ({ city }: { city: string }) => ({ content: [{ type: 'text', text: `Sun over ${city}` }] }))
 * server.registerTool('forecast', { description: 'Weather of a city', inputSchema: { city: z.string() } }, forecast)
 */
export function paywall({ endpoint: place, ...options }: McpPaywallOptions): McpPaywall {
  if ('origin' in options && options.origin !== undefined) {
    throw new X402Error('invalid_config', { field: 'origin', reason: 'of HTTP: an MCP server has an endpoint' })
  }
  const endpoint = place === undefined ? undefined : endpointOf(place)
  const http = httpPaywall(options)

  /** One call through the gate. */
  function sell<Result extends { readonly _meta?: Meta | undefined }>(
    kind: 'tool' | 'resource',
    name: string,
    input: ToolRoute,
  ) {
    type Work = (payment: VerifiedPayment) => Promise<Result>
    const handle = http(routeOf(kind, name, listed(kind, name, input)), async (_, payment, work: Work) => {
      const result = await work(payment)
      const isSold = !('isError' in result && result.isError === true)
      return new Response(JSON.stringify(result), {
        status: isSold ? 200 : 500,
        headers: { 'content-type': JSON_TYPE },
      })
    })
    return async (url: string, args: unknown, extra: Extra, work: Work): Promise<Said> => {
      const asked = readAsked(extra._meta)
      const text = asciiJson(args ?? null)
      asked.headers.set(ARGUMENTS_HEADER, text)
      // What is claimed is claimed for these arguments: they are in the query, which no challenge shows.
      const request = new Request(
        `${url}${url.includes('?') ? '&' : '?'}arguments=${sha256Hex(canonicalJson(JSON.parse(text)))}`,
        {
          headers: asked.headers,
          signal: extra.signal,
        },
      )
      try {
        const answer = await readGateAnswer(await handle(request, work), asked.version)
        return { ...answer, meta: metaOf(answer, asked.old) }
      } catch (error) {
        // What is ours goes out by its code; the rest is the handler's own.
        if (!X402Error.is(error)) throw error
        return { type: 'problem', problem: { ...problem(error.code) }, meta: {} }
      }
    }
  }

  /** What it is sold by, with what catalogues are told of it. */
  function listed(kind: 'tool' | 'resource', name: string, input: ToolRoute): CallOptions {
    const given: CallOptions & { readonly inputSchema?: ToolInput } =
      typeof input === 'object' ? input : { price: input }
    const { inputSchema, ...route } = given
    const own = route.extensions?.bazaar
    const said = own ?? options.everywhere?.bazaar
    if (said === undefined || said === false) return route
    if (kind === 'resource') {
      // What every route is told was not said of this one.
      if (own === undefined) return { ...route, extensions: { ...route.extensions, bazaar: false } }
      throw new X402Error('invalid_config', {
        field: 'extensions.bazaar',
        reason: `catalogues list tools: ${name} is a resource`,
      })
    }
    const bazaar = declareTool(said, { name, description: route.description, inputSchema, endpoint })
    return { ...route, extensions: { ...route.extensions, bazaar } }
  }

  /** What the gate knows a tool by. Its query, which no challenge shows, tells those of one endpoint apart. */
  const placeOf = (name: string) =>
    endpoint === undefined ? toolUrl(name) : `${endpoint}?tool=${encodeURIComponent(name)}`

  return {
    ready: http.ready,

    tool(name, route, handler) {
      const call = sell<CallToolResult>('tool', name, route)
      type Args = Parameters<typeof handler>[0]
      return async (...given: [Extra] | [Args, Extra]) => {
        // A tool that takes no arguments has none to give.
        const [args, extra] = given.length === 1 ? [undefined as Args, given[0]] : given
        const said = await call(placeOf(name), args, extra, async (payment) => {
          try {
            return await handler(args, { ...extra, payment })
          } catch (error) {
            if (PaymentRequiredError.is(error) || error instanceof McpError) throw error
            // As the SDK itself answers for a handler that threw; here it also decides that nothing is sold.
            return toolError(error instanceof Error ? error.message : String(error))
          }
        })
        return toolResult(said)
      }
    },

    resource(name, route, handler) {
      const call = sell<ReadResourceResult>('resource', name, route)
      type Variables = Parameters<typeof handler>[2]
      return async (uri: URL, ...given: [Extra] | [Variables, Extra]) => {
        const [variables, extra] = given.length === 1 ? [undefined as Variables, given[0]] : given
        const said = await call(resourceUrl(uri.href), undefined, extra, async (payment) =>
          handler(uri, { ...extra, payment }, variables),
        )
        return resourceResult(said)
      }
    },
  }
}

/** The header in which the gate's price functions see the arguments of a call: JSON, in ASCII. */
const ARGUMENTS_HEADER = 'mcp-arguments'
const JSON_TYPE = 'application/json'

/** What the gate said, and what goes into `_meta` of it. */
type Said = GateAnswer & { readonly meta: Meta }

/** A tool's result out of what the gate said. Structured and textual content of a challenge are one text (MCP-002). */
function toolResult(said: Said): CallToolResult {
  if (said.type === 'work') return withMeta(asToolResult(said.body), said.meta)
  const object = said.type === 'problem' ? said.problem : said.required
  return withMeta({ ...toolError(JSON.stringify(object)), structuredContent: { ...object } }, said.meta)
}

function toolError(text: string): CallToolResult {
  return { isError: true, content: [{ type: 'text', text }] }
}

function resourceResult(said: Said): ReadResourceResult {
  switch (said.type) {
    case 'work':
      return withMeta(asResourceResult(said.body), said.meta)
    case 'payment-required':
      throw new McpError(PAYMENT_ERROR_CODES[0] ?? 402, 'Payment required', withMeta(said.required, said.meta))
    case 'problem':
      throw new McpError(ErrorCode.InternalError, String(said.problem.title ?? ''), withMeta(said.problem, said.meta))
  }
}

// What the gate gives back is what the handler made, and the handler is typed.
const asToolResult = (result: object) => result as CallToolResult
const asResourceResult = (result: object) => result as ReadResourceResult

/** The route for the gate: named after what it sells, and with a price function that sees the call. */
function routeOf(kind: 'tool' | 'resource', name: string, { price, ...options }: CallOptions): RouteInput {
  return {
    mimeType: JSON_TYPE,
    ...options,
    ...(price !== undefined && { price: typeof price === 'function' ? pricedByCall(name, price) : price }),
    name: `${kind} ${name}`,
  }
}

function pricedByCall(name: string, price: CallPrice) {
  return (request: GateRequest): Price | Promise<Price> => {
    const text = request.header(ARGUMENTS_HEADER)
    const given = text ? (JSON.parse(text) as Json) : null
    return price({ name, arguments: given ?? undefined })
  }
}
