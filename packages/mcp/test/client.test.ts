import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createBuyer } from '@groat/client/buyer'
import { exactEvm as exactEvmClient } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { transferProof as paysByProofs } from '@groat/evm/transfer-proof/client'
import { transferProof as sellsForProofs } from '@groat/evm/transfer-proof/server'
import { createMemoryClaims } from '@groat/server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { payingClient } from '../src/client/index.js'
import { type McpPaywall, paywall } from '../src/server/index.js'
import { NETWORK, stubFacilitator } from './support/facilitator.js'
import { account, openShop, SELLER, SERVER, text } from './support/shop.js'

const forecast = (server: McpServer, paid: McpPaywall, runs: unknown[] = []) => {
  const tool = paid.tool('forecast', '$0.001', async ({ city }: { city: string }) => {
    runs.push(city)
    return { ...text(`Sun over ${city}`), structuredContent: { city } }
  })
  server.registerTool('forecast', { inputSchema: { city: z.string() }, outputSchema: { city: z.string() } }, tool)
}
const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
const oslo = { name: 'forecast', arguments: { city: 'Oslo' } }

test('MCP-030 MCP-031 a call is paid for, and its result comes back whole, with its receipt', async () => {
  const { paying, client } = await openShop(forecast)
  // A client that knows the tools checks what they return; a challenge is no such thing.
  await client.listTools()
  const result = await paying.callTool(oslo)
  expect(result).toMatchObject({ content: [{ text: 'Sun over Oslo' }], structuredContent: { city: 'Oslo' } })
  expect(paying.receipt(result)).toMatchObject({ state: 'unverified', transaction: `0x${'1'.padStart(64, '0')}` })
  expect(paying.outcome(result)).toMatchObject({ status: 'settled', payment: { amount: 1000n, payTo: SELLER } })
})

test('MCP-032 what costs nothing is passed through', async () => {
  const { paying, stub } = await openShop((server) => server.registerTool('ping', {}, async () => text('pong')))
  const result = await paying.callTool({ name: 'ping' })
  expect(result).toEqual(text('pong'))
  expect(paying.outcome(result)).toBeUndefined()
  await expect(paying.callTool({ name: 'none' })).resolves.toMatchObject({ isError: true })
  expect(stub.verified).toEqual([])
})

test.each([
  ['perPayment', { perPayment: '$0.0005' }, 'amount_over_limit'],
  ['origins', { origins: ['https://mcp.example'] }, 'origin_not_allowed'],
  ['recipients', { recipients: [account.address] }, 'recipient_not_allowed'],
])('MCP-033 the policy of the payer holds: %s', async (rule, policy, code) => {
  const runs: string[] = []
  const { paying, stub } = await openShop((server, paid) => forecast(server, paid, runs), { payer: { policy } })
  const result = await paying.callTool(oslo)
  expect(result).toMatchObject({ isError: true, structuredContent: { x402Version: 2 } })
  expect(paying.outcome(result)).toMatchObject({ status: 'unpaid', code, refusals: [{ rule }] })
  expect([runs, stub.verified]).toEqual([[], []])
})

test('MCP-033 a server that asks for another tool’s price is not paid', async () => {
  const { paying } = await openShop((server, paid) => {
    const dear = paid.tool('dear', '$0.05', async () => text('dear'))
    server.registerTool('cheap', {}, dear)
  })
  const result = await paying.callTool({ name: 'cheap' })
  expect(paying.outcome(result)).toMatchObject({ status: 'unpaid', code: 'resource_mismatch' })
})

test('MCP-034 a buyer’s budgets, receipts and explanations are the same as for HTTP', async () => {
  const { client } = await openShop(forecast)
  const buyer = createBuyer({ schemes: [exactEvmClient({ account })], policy: { perDay: '$0.0015' } })
  const paying = payingClient(client, buyer, { server: SERVER })
  const first = await paying.callTool(oslo, { metadata: { task: 'trip' } })
  const second = await paying.callTool({ name: 'forecast', arguments: { city: 'Rome' } })
  expect([paying.outcome(first)?.status, paying.outcome(second)]).toMatchObject([
    'settled',
    { status: 'unpaid', code: 'budget_exceeded' },
  ])
  await buyer.idle()
  const [record] = await buyer.purse.records({})
  expect(record).toMatchObject({ intent: { origin: 'http://localhost' }, metadata: { task: 'trip' } })
})

test('MCP-035 an answer that got lost is asked for by the same payment', async () => {
  const runs: string[] = []
  const { client, payer, stub } = await openShop((server, paid) => forecast(server, paid, runs))
  let lost = 0
  const leaky = {
    request: async (request: never, schema: never, options: never) => {
      const result = await client.request(request, schema, options)
      if (JSON.stringify(request).includes('x402/payment') && lost++ === 0) throw new Error('the line broke')
      return result
    },
  }
  // The SDK's method is generic in its schema; this one passes everything on.
  const paying = payingClient(leaky as unknown as Client, payer, { server: SERVER })
  const result = await paying.callTool(oslo)
  expect(result).toMatchObject({ content: [{ text: 'Sun over Oslo' }] })
  expect([lost, runs, stub.settled.length]).toEqual([2, ['Oslo'], 1])
})

test('MCP-036 a call that is cancelled after it was paid for is served by the next', async () => {
  const runs: string[] = []
  const { paying, stub } = await openShop((server, paid) => forecast(server, paid, runs))
  const stop = new AbortController()
  stub.next.push(async ({ requirements: { network } }) => {
    stop.abort(new Error('changed my mind'))
    return { status: 'settled', receipt: { payer: '', network, transaction: '0xpaid' } }
  })
  await expect(paying.callTool(oslo, { signal: stop.signal })).rejects.toMatchObject({ code: 'payment_unresolved' })
  const result = await paying.callTool(oslo)
  expect(result).toMatchObject({ content: [{ text: 'Sun over Oslo' }] })
  expect(paying.receipt(result)?.transaction).toBe('0xpaid')
  expect([runs, stub.settled.length]).toEqual([['Oslo'], 1])
})

test('MCP-016 a call that is cancelled before it is settled costs nothing', async () => {
  const stop = new AbortController()
  const { paying, stub } = await openShop((server, paid) => {
    const tool = paid.tool('slow', '$0.001', async (_: undefined, { signal }) => {
      const aborted = once(signal, 'abort')
      stop.abort(new Error('too slow'))
      await aborted
      return text('late')
    })
    server.registerTool('slow', {}, tool)
  })
  await expect(paying.callTool({ name: 'slow' }, { signal: stop.signal })).rejects.toMatchObject({
    code: 'payment_unresolved',
  })
  expect([stub.verified.length, stub.settled.length]).toEqual([1, 0])
})

test('MCP-017 MCP-037 progress and log messages of a paid tool arrive', async () => {
  const { paying } = await openShop((server, paid) => {
    const tool = paid.tool('scan', '$0.001', async (_: undefined, { _meta, sendNotification }) => {
      const { progressToken = 'none' } = _meta ?? {}
      for (const progress of [1, 2]) {
        await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 2 } })
      }
      return text('scanned')
    })
    server.registerTool('scan', {}, tool)
  })
  const seen: number[] = []
  const result = await paying.callTool({ name: 'scan' }, { onprogress: ({ progress }) => seen.push(progress) })
  expect(paying.outcome(result)?.status).toBe('settled')
  expect(seen).toEqual([1, 2])
})

test('MCP-018 MCP-038 a resource is asked for by an error with the challenge, paid, and read', async () => {
  const { client, paying } = await openShop((server, paid) => {
    const report = paid.resource('report', '$0.002', async (uri) => ({
      contents: [{ uri: uri.href, text: 'Revenue is up.' }],
    }))
    server.registerResource('report', 'report://q3', {}, report)
    const file = paid.resource('file', '$0.001', async (uri, _, { name }: { name?: string | string[] }) => ({
      contents: [{ uri: uri.href, text: `file ${name}` }],
    }))
    server.registerResource('file', new ResourceTemplate('file:///{name}', { list: undefined }), {}, file)
  })
  await expect(client.readResource({ uri: 'report://q3' })).rejects.toMatchObject({
    code: -32042,
    data: { x402Version: 2, resource: { url: 'mcp://resource/report%3A%2F%2Fq3' }, accepts: [{ amount: '2000' }] },
  })
  const result = await paying.readResource({ uri: 'report://q3' })
  expect(result.contents).toMatchObject([{ text: 'Revenue is up.' }])
  expect(paying.receipt(result)).toMatchObject({ network: 'eip155:84532' })
  expect(await paying.readResource({ uri: 'file:///a' })).toMatchObject({ contents: [{ text: 'file a' }] })
  await expect(paying.readResource({ uri: 'report://none' })).rejects.toMatchObject({ code: -32602 })
})

test.each([
  [
    'structured content alone',
    (required: object) => ({ isError: true, content: [], structuredContent: { ...required } }),
  ],
  [
    'text alone',
    (required: object) => ({ isError: true, content: [{ type: 'text' as const, text: JSON.stringify(required) }] }),
  ],
  [
    'an error object in the text',
    (required: object) => ({
      isError: true,
      content: [
        {
          type: 'text' as const,
          text: JSON.stringify({ 'x402/error': { code: 402, message: 'pay', data: required } }),
        },
      ],
    }),
  ],
])('MCP-039 a challenge is understood from %s', async (_, shape) => {
  const { paying } = await openShop((server, paid) => {
    const tool = paid.tool('forecast', '$0.001', async () => text('sun'))
    server.registerTool('forecast', {}, async (extra) => {
      const { structuredContent, ...result } = await tool(extra)
      return structuredContent === undefined ? result : shape(structuredContent)
    })
  })
  const result = await paying.callTool({ name: 'forecast' })
  expect(result.content).toMatchObject([{ text: 'sun' }])
})

test('MCP-040 a server of version 1 is paid where the policy allows that version', async () => {
  const { client, payer, stub } = await openShop((server, paid) => {
    const tool = paid.tool('forecast', '$0.001', async () => text('sun'))
    server.registerTool('forecast', {}, async (extra) => {
      // A server that has never heard of version 2 gives its own challenge.
      if (extra._meta?.['x402/payment'] !== undefined) return tool(extra)
      return tool({ ...extra, _meta: { 'x402/payment': { x402Version: 1 } } })
    })
  })
  const refused = payingClient(client, payer, { server: SERVER })
  expect(refused.outcome(await refused.callTool({ name: 'forecast' }))).toMatchObject({ code: 'version_not_allowed' })
  const buyer = createBuyer({ schemes: [exactEvmClient({ account })], policy: { versions: [1] } })
  const paying = payingClient(client, buyer, { server: SERVER })
  const result = await paying.callTool({ name: 'forecast' })
  expect(result.content).toMatchObject([{ text: 'sun' }])
  expect(paying.outcome(result)).toMatchObject({ status: 'settled', payment: { x402Version: 1 } })
  expect(stub.settled).toHaveLength(1)
})

test('a server needs a name that policies know', async () => {
  const { client, payer } = await openShop(forecast)
  expect(() => payingClient(client, payer, { server: 'stdio://shop' })).toThrow('invalid_config')
})

test('MCP-041 over streamable HTTP: sessions share what was sold', async () => {
  const stub = stubFacilitator()
  const paid = paywall({
    facilitator: stub,
    payTo: { 'base-sepolia': SELLER },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const runs: string[] = []
  const tool = paid.tool('forecast', '$0.001', async ({ city }: { city: string }) => {
    runs.push(city)
    return text(`Sun over ${city}`)
  })
  const http = createServer(async (request, response) => {
    const server = new McpServer({ name: 'shop', version: '1' })
    server.registerTool('forecast', { inputSchema: { city: z.string() } }, tool)
    const transport = new StreamableHTTPServerTransport({})
    response.on('close', () => void server.close())
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(request, response)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const url = new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`)
  onTestFinished(() => new Promise((resolve) => http.close(() => resolve())))

  const buyer = createBuyer({ schemes: [exactEvmClient({ account })] })
  const call = async (idempotencyKey: string) => {
    const client = new Client({ name: 'buyer', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(url) as Parameters<typeof client.connect>[0])
    try {
      const paying = payingClient(client, buyer, { server: url })
      const result = await paying.callTool(oslo, { idempotencyKey })
      return [result.content, paying.outcome(result)?.status]
    } finally {
      await client.close()
    }
  }
  const answers = [await call('a'), await call('a'), await call('b')]
  expect(answers).toEqual(answers.map(() => [[{ type: 'text', text: 'Sun over Oslo' }], 'settled']))
  expect(runs.length).toBe(stub.settled.length)
})

test('a bundle is used for the tool that it was bought for, and kept while others are paid', async () => {
  const { client, stub } = await openShop((server, paid) => {
    for (const name of ['one', 'two']) {
      const tool = paid.tool(name, { price: '$0.01', bundle: 3, scope: name }, async () => text(name))
      server.registerTool(name, {}, tool)
    }
  })
  const buyer = createBuyer({ schemes: [exactEvmClient({ account })] })
  const paying = payingClient(client, buyer, { server: SERVER })
  const said: unknown[] = []
  for (const name of ['one', 'two', 'one', 'two']) {
    const result = await paying.callTool({ name })
    said.push([result.content, paying.outcome(result)?.status])
  }
  const of = (name: string, status?: string) => [[{ type: 'text', text: name }], status]
  expect(said).toEqual([of('one', 'settled'), of('two', 'settled'), of('one'), of('two')])
  expect(stub.settled).toHaveLength(2)
})

test('a server that names its own URL in its offers gets that name back with the payment', async () => {
  const { paying } = await openShop((server, paid) => {
    const tool = paid.tool('forecast', '$0.001', async () => text('sun'))
    server.registerTool('forecast', {}, async (extra) => {
      const result = await tool(extra)
      const { resource } = (result.structuredContent ?? {}) as { resource?: object }
      if (resource === undefined) return result
      return { ...result, structuredContent: { ...result.structuredContent, resource: { ...resource, url: SERVER } } }
    })
  })
  const result = await paying.callTool({ name: 'forecast' })
  // Our gate takes payments for the name that it gave, and for no other: the name went back as it came.
  expect(paying.outcome(result)).toMatchObject({ status: 'refused', code: 'resource_mismatch' })
})

test('MCP-030 EVM-PROOF-004 who signs what a payment is for signs the name that the seller has for it', async () => {
  const transfer = { network: NETWORK, asset: USDC, payTo: SELLER, amount: 1000n, transaction: `0x${'ab'.repeat(32)}` }
  const { paying, stub } = await openShop(
    (server, paid) => {
      const route = { price: '$0.001', offers: [{ scheme: 'transfer-proof' }] } as const
      server.registerTool(
        'forecast',
        { description: 'Weather' },
        paid.tool('forecast', route, async () => text('Sun')),
      )
    },
    {
      options: { schemes: [sellsForProofs] },
      payer: { schemes: [paysByProofs({ account, transfers: [transfer] })] },
    },
  )
  const result = await paying.callTool({ name: 'forecast', arguments: {} })
  expect(paying.outcome(result)?.status).toBe('settled')
  expect(stub.verified[0]?.payment).toMatchObject({
    resource: { url: 'mcp://tool/forecast' },
    payload: { resource: 'mcp://tool/forecast' },
  })
})
