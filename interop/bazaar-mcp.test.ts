import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { findServices } from '@groat/client/buyer'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { bazaar } from '@groat/extensions/bazaar/server'
import { payingClient } from '@groat/mcp/client'
import { paywall } from '@groat/mcp/server'
import { createMemoryClaims } from '@groat/server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { x402Client } from '@x402/core/client'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { useCatalogue } from './catalogue-kit.js'
import { NETWORK } from './extensions-kit.js'
import { officialCall } from './peers/official-mcp.js'
import { ourEvmPayer } from './peers/ours.js'

// Tools of a server over HTTP, in our catalogue.

const market = useCatalogue()
const { stage } = market

/** Two tools over streamable HTTP, that say how they are called. */
async function openShop(): Promise<string> {
  const http = createServer()
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(async () => {
    http.closeAllConnections()
    http.close()
  })
  const endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`
  const paid = paywall({
    facilitator: market.facilitator,
    payTo: { [NETWORK]: stage.chain.account('seller').address },
    schemes: [sells],
    store: createMemoryClaims({ singleProcess: true }),
    endpoint,
    extensions: [bazaar],
    everywhere: { bazaar: true },
  })
  const said = (text: string) => ({ content: [{ type: 'text' as const, text }] })
  const weather = { description: 'Weather of a city', inputSchema: { city: z.string(), days: z.number().optional() } }
  const forecast = paid.tool('forecast', { price: '$0.001', ...weather }, async ({ city }: { city: string }) =>
    said(`Sun over ${city}`),
  )
  const time = { description: 'The time of a city', inputSchema: { city: z.string() } }
  const clock = paid.tool('clock', { price: '$0.001', ...time }, async (_: { city: string }) => said('noon'))
  await paid.ready()
  http.on('request', async (request, response) => {
    const server = new McpServer({ name: 'shop', version: '1' })
    server.registerTool('forecast', weather, forecast)
    server.registerTool('clock', time, clock)
    const transport = new StreamableHTTPServerTransport()
    response.on('close', () => void server.close())
    await server.connect(transport as never)
    await transport.handleRequest(request, response)
  })
  return endpoint
}

/** A client of such a shop, and the key of who pays. */
async function visitShop() {
  const endpoint = await openShop()
  const client = new Client({ name: 'buyer', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(endpoint)) as never)
  onTestFinished(() => client.close())
  return { endpoint, client, privateKey: stage.chain.account('payer').privateKey }
}

test('BAZAAR-007 BAZAAR-005 MCP-019 paid tools are listed at the endpoint of their server by name, bought by both houses’ clients, found and explained', async () => {
  const { endpoint, client, privateKey } = await visitShop()
  const paying = payingClient(client, ourEvmPayer(privateKey), { server: `${endpoint}?key=mine` })
  const result = await paying.callTool({ name: 'forecast', arguments: { city: 'Oslo' } })
  expect(paying.outcome(result)).toMatchObject({ status: 'settled' })
  const theirs = new x402Client().register('eip155:*', new ExactEvmScheme(privateKeyToAccount(privateKey)))
  const bought = await officialCall(client, theirs, 'clock', { city: 'Oslo' })
  expect(bought.result).toMatchObject({ content: [{ text: 'noon' }] })
  await market.catalogue.flush()
  expect(await market.prober.round()).toBe(2)

  const { services } = await findServices({ query: 'city', catalogues: [market.facilitator] })
  expect(services.map(({ url, tool, description }) => [url, tool, description])).toEqual(
    expect.arrayContaining([
      [endpoint, 'forecast', 'Weather of a city'],
      [endpoint, 'clock', 'The time of a city'],
    ]),
  )
  const { items } = await (await fetch(`${market.facilitator}/discovery/resources?type=mcp`)).json()
  expect(items[0]).toMatchObject({
    ...{ resource: endpoint, type: 'mcp', toolName: 'forecast' },
    extensions: {
      bazaar: {
        info: { input: { type: 'mcp', inputSchema: { properties: { city: { type: 'string' } }, required: ['city'] } } },
      },
    },
  })
  const why = await market.catalogue.why({ resource: endpoint, tool: 'forecast' })
  expect([why.listed, why.checks.map(({ detail }) => detail).join()]).toEqual([
    true,
    expect.stringContaining('Its server lists the tool'),
  ])
})

test('MCP-008 a payment for one tool of an endpoint is refused by another', async () => {
  const { endpoint, client, privateKey } = await visitShop()
  const carried: unknown[] = []
  const watched = {
    request: (request: { params: { _meta?: Record<string, unknown> } }, ...rest: never[]) => {
      const payment = request.params._meta?.['x402/payment']
      if (payment !== undefined) carried.push(payment)
      return (client.request as (...all: unknown[]) => unknown)(request, ...rest)
    },
  }
  const paying = payingClient(watched as never, ourEvmPayer(privateKey), { server: endpoint })
  const params = { arguments: { city: 'Oslo' } }
  expect(paying.receipt(await paying.callTool({ name: 'forecast', ...params }))).toBeDefined()
  const again = (name: string) => client.callTool({ name, ...params, _meta: { 'x402/payment': carried[0] } })
  expect(await again('forecast')).toMatchObject({ content: [{ text: 'Sun over Oslo' }] })
  expect(await again('clock')).toMatchObject({ isError: true })
})
