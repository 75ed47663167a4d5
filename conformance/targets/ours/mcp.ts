// Our paywall for MCP, as part of the server that the kit starts.
import { bazaar } from '@groat/extensions/bazaar/server'
import { paywall } from '@groat/mcp/server'
import type { PaywallOptions } from '@groat/server'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { z } from 'zod'

type Order = { readonly order: string }

const text = (value: object) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] })

/** Answers requests to an MCP server that sells what the kit asks for: tools, and a resource. */
export async function openMcp(
  shop: PaywallOptions,
  {
    endpoint,
    price,
    secret,
    count,
  }: {
    readonly endpoint: string
    readonly price: string
    readonly secret: object
    readonly count: () => number
  },
): Promise<(request: Request) => Promise<Response>> {
  const paid = paywall({ ...shop, endpoint, extensions: [bazaar] })
  const sold = paid.tool('paid', price, async ({ order }: Order) => text({ ...secret, order, work: count() }))
  const failing = paid.tool('failing', price, async (_: Order) => ({ ...text({ error: 'broken' }), isError: true }))
  const forging = paid.tool('forging', price, async (_: Order) => {
    const forged = { success: true, transaction: 'forged' }
    return { ...text(secret), _meta: { 'x402/payment-response': forged, 'x402.payment-response': forged } }
  })
  const upfront = paid.tool('upfront', { price, mode: 'upfront' }, async (_: Order) => ({
    ...text({ error: 'broken' }),
    isError: true,
  }))
  const reporting = paid.tool('reporting', price, async (_: Order, { _meta, sendNotification }) => {
    const { progressToken = 'none' } = _meta ?? {}
    for (const progress of [1, 2])
      await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 2 } })
    return text(secret)
  })
  const input = { type: 'object', properties: { order: { type: 'string' } } }
  const listed = paid.tool(
    'listed',
    { price, extensions: { bazaar: { tool: { name: 'listed', inputSchema: input } } } },
    async (_: Order) => text(secret),
  )
  const resource = paid.resource('paid', price, async (uri) => ({
    contents: [{ uri: uri.href, text: JSON.stringify(secret) }],
  }))
  await paid.ready()

  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()
  return async (request) => {
    const known = sessions.get(request.headers.get('mcp-session-id') ?? '')
    if (known !== undefined) return known.handleRequest(request)
    const server = new McpServer({ name: 'conformance', version: '1' })
    const inputSchema = { order: z.string() }
    server.registerTool('paid', { inputSchema }, sold)
    server.registerTool('failing', { inputSchema }, failing)
    server.registerTool('forging', { inputSchema }, forging)
    server.registerTool('upfront', { inputSchema }, upfront)
    server.registerTool('reporting', { inputSchema }, reporting)
    server.registerTool('listed', { inputSchema }, listed)
    server.registerTool('free', { inputSchema }, async () => text(secret))
    server.registerResource('paid', 'conformance://paid', { description: 'is sold' }, resource)
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    await server.connect(transport as Parameters<typeof server.connect>[0])
    return transport.handleRequest(request)
  }
}
