import {
  decodeChallenge,
  encodeHeaderObject,
  encodePayment,
  type JsonObject,
  type PaymentRequired,
  systemRandom,
} from '@groat/core'
import { exactEvm as exactEvmClient } from '@groat/evm/exact/client'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { McpPaymentRequired, McpResultMeta } from '../../../spec/scripts/lib/transport-types.js'
import { account, openShop, SELLER, type Shop, text } from './support/shop.js'

const scheme = exactEvmClient({ account })

/** A shop with one paid tool. */
async function weatherShop(more: Parameters<typeof openShop>[1] = {}, mode?: 'upfront' | 'strict') {
  const runs: string[] = []
  const shop = await openShop((server, paid) => {
    const forecast = paid.tool(
      'forecast',
      { price: '$0.001', ...(mode && { mode }) },
      async ({ city }: { city: string }, { payment }) => {
        runs.push(city)
        if (city === 'Atlantis') return { ...text('no such city'), isError: true }
        if (city === 'Babel') throw new Error('too many tongues')
        return text(`Sun over ${city}, paid by ${payment.payer}`)
      },
    )
    server.registerTool('forecast', { description: 'Weather', inputSchema: { city: z.string() } }, forecast)
  }, more)
  return { ...shop, runs }
}

/** The payment object that an official client would put into `_meta`. */
async function payFor(result: CallToolResult, version: 1 | 2 = 2): Promise<JsonObject> {
  const read = decodeChallenge((name) =>
    name === 'PAYMENT-REQUIRED' ? encodeHeaderObject(result.structuredContent as JsonObject) : null,
  )
  if (!read?.ok) throw new Error('no challenge')
  const challenge: PaymentRequired = read.value
  const [offer] = challenge.accepts
  if (offer === undefined) throw new Error('no offer')
  const prepared = scheme.prepare(offer, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 300 })
  if (!prepared.ok) throw new Error(prepared.code)
  const { value } = encodePayment({
    x402Version: version,
    scheme: 'exact',
    network: offer.network,
    payload: await prepared.sign(),
    ...(version === 2 && { accepted: offer, resource: { url: 'mcp://tool/forecast' } }),
  })
  return JSON.parse(Buffer.from(value, 'base64').toString())
}

const call = (shop: Pick<Shop, 'client'>, city: string, _meta?: Record<string, unknown>) =>
  shop.client.callTool({ name: 'forecast', arguments: { city }, ...(_meta && { _meta }) }) as Promise<CallToolResult>

test('MCP-001 MCP-002 MCP-019 an unpaid call is answered with the challenge, in both representations', async () => {
  const shop = await weatherShop()
  const result = await call(shop, 'Oslo')
  expect(result).toMatchObject({
    isError: true,
    structuredContent: {
      x402Version: 2,
      error: 'payment_required',
      resource: { url: 'mcp://tool/forecast', mimeType: 'application/json' },
      accepts: [{ scheme: 'exact', network: 'eip155:84532', amount: '1000', payTo: SELLER }],
    },
  })
  expect(result.content).toEqual([{ type: 'text', text: JSON.stringify(result.structuredContent) }])
  expect(McpPaymentRequired.safeParse(result).success).toBe(true)
  expect(shop.runs).toEqual([])
})

test('MCP-003 MCP-004 a payment in `_meta` runs the tool, and the receipt is in `_meta` of its result', async () => {
  const shop = await weatherShop()
  const payment = await payFor(await call(shop, 'Oslo'))
  expect(await call(shop, 'Oslo', { 'x402/payment': payment })).toEqual({
    content: [{ type: 'text', text: `Sun over Oslo, paid by ${account.address.toLowerCase()}` }],
    _meta: {
      'x402/payment-response': {
        success: true,
        payer: account.address.toLowerCase(),
        transaction: `0x${'1'.padStart(64, '0')}`,
        network: 'eip155:84532',
      },
    },
  })
})

test('MCP-005 a payment of version 1 is taken under the same key, and answered in version 1', async () => {
  const shop = await weatherShop()
  const payment = await payFor(await call(shop, 'Oslo'), 1)
  const paid = await call(shop, 'Oslo', { 'x402/payment': payment })
  expect(paid._meta).toMatchObject({ 'x402/payment-response': { success: true, network: 'base-sepolia' } })
  expect(McpResultMeta.safeParse(paid._meta).success).toBe(true)
  const again = await call(shop, 'Oslo', { 'x402/payment': { ...payment, scheme: 'other' } })
  expect(again).toMatchObject({
    isError: true,
    structuredContent: {
      x402Version: 1,
      accepts: [{ network: 'base-sepolia', maxAmountRequired: '1000', resource: 'mcp://tool/forecast' }],
    },
  })
})

test('MCP-006 the key of before the specification is read as well, and answered', async () => {
  const shop = await weatherShop()
  const payment = await payFor(await call(shop, 'Oslo'), 1)
  const paid = await call(shop, 'Oslo', { 'x402.payment': Buffer.from(JSON.stringify(payment)).toString('base64') })
  expect(paid).toMatchObject({ _meta: { 'x402.payment-response': { success: true, network: 'base-sepolia' } } })
})

test('MCP-007 a replayed payment gets the same answer, and no second execution', async () => {
  const shop = await weatherShop()
  const payment = await payFor(await call(shop, 'Oslo'))
  const answers = await Promise.all([1, 2, 3].map(() => call(shop, 'Oslo', { 'x402/payment': payment })))
  const done = answers.filter(({ isError }) => isError !== true)
  expect(done.length).toBeGreaterThan(0)
  const late = await call(shop, 'Oslo', { 'x402/payment': payment })
  expect(late).toEqual(done[0])
  expect(shop.runs).toEqual(['Oslo'])
  expect(shop.stub.settled).toHaveLength(1)
})

test('MCP-008 a payment buys the call that it was presented for, and no other arguments', async () => {
  const shop = await weatherShop()
  const payment = await payFor(await call(shop, 'Oslo'))
  await call(shop, 'Oslo', { 'x402/payment': payment })
  expect(await call(shop, 'Rome', { 'x402/payment': payment })).toMatchObject({
    isError: true,
    structuredContent: { code: 'idempotency_mismatch', status: 409 },
  })
  expect(shop.runs).toEqual(['Oslo'])
})

test.each([
  ['an error of the tool', 'Atlantis', 'no such city'],
  ['a tool that throws', 'Babel', 'too many tongues'],
])('MCP-009 %s is not charged in strict mode', async (_, city, said) => {
  const shop = await weatherShop()
  const payment = await payFor(await call(shop, city))
  const result = await call(shop, city, { 'x402/payment': payment })
  expect(result).toEqual({ isError: true, content: [{ type: 'text', text: said }] })
  expect(shop.stub.settled).toEqual([])
})

test('MCP-010 in upfront mode a tool error comes with the receipt, and the payment stays good', async () => {
  const shop = await weatherShop({}, 'upfront')
  const payment = await payFor(await call(shop, 'Atlantis'))
  for (const _ of [1, 2]) {
    expect(await call(shop, 'Atlantis', { 'x402/payment': payment })).toMatchObject({
      isError: true,
      content: [{ text: 'no such city' }],
      _meta: { 'x402/payment-response': { success: true } },
    })
  }
  expect(shop.stub.settled).toHaveLength(1)
  expect(shop.runs).toEqual(['Atlantis', 'Atlantis'])
})

test('MCP-011 when settlement is refused the work is withheld, and the offers come again', async () => {
  const shop = await weatherShop()
  shop.stub.next.push(async () => ({ status: 'refused', code: 'invalid_exact_evm_insufficient_balance' }))
  const payment = await payFor(await call(shop, 'Oslo'))
  const result = await call(shop, 'Oslo', { 'x402/payment': payment })
  expect(result).toMatchObject({
    isError: true,
    structuredContent: { x402Version: 2, error: 'invalid_exact_evm_insufficient_balance', accepts: [{}] },
    _meta: { 'x402/payment-response': { success: false } },
  })
  expect(JSON.stringify(result)).not.toContain('Sun over')
})

test('MCP-012 when nobody knows whether it is settled, that is said, and the same payment gets the answer later', async () => {
  const shop = await weatherShop()
  shop.stub.next.push(async () => ({ status: 'unknown', retryAfter: 3 }))
  const payment = await payFor(await call(shop, 'Oslo'))
  expect(await call(shop, 'Oslo', { 'x402/payment': payment })).toMatchObject({
    isError: true,
    structuredContent: { code: 'settlement_pending', retryAfter: 3 },
    _meta: { 'x402/payment-response': { success: false, errorReason: 'settlement_pending' } },
  })
  expect(await call(shop, 'Oslo', { 'x402/payment': payment })).toMatchObject({
    content: [{ text: expect.stringContaining('Oslo') }],
  })
  expect(shop.runs).toEqual(['Oslo'])
})

test.each<[string, unknown]>([
  ['text', 'x402'],
  ['a number', 7],
  ['a list', []],
  ['an empty object', {}],
  [
    'a payload that is nested without end',
    { x402Version: 2, payload: JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`) },
  ],
])('MCP-013 what is no payment is refused by name: %s', async (_, payment) => {
  const shop = await weatherShop()
  const result = await call(shop, 'Oslo', { 'x402/payment': payment })
  expect(result).toMatchObject({ isError: true, structuredContent: { error: expect.stringMatching(/^invalid_/) } })
  expect(shop.stub.verified).toEqual([])
})

test('MCP-014 only the gate speaks under the keys of payment', async () => {
  const shop = await openShop((server, paid) => {
    const tool = paid.tool('forecast', '$0.001', async () => ({
      ...text('sun'),
      _meta: { 'x402/payment-response': { success: true, transaction: '0xforged' }, own: 1 },
    }))
    server.registerTool('forecast', {}, tool)
  })
  const payment = await payFor(await call(shop, 'Oslo'))
  const result = await call(shop, 'Oslo', { 'x402/payment': payment })
  expect(result._meta).toMatchObject({ own: 1, 'x402/payment-response': { transaction: `0x${'1'.padStart(64, '0')}` } })
})

test('MCP-015 arguments that the tool does not take cost nothing', async () => {
  const shop = await weatherShop()
  const payment = await payFor(await call(shop, 'Oslo'))
  const result = await shop.client.callTool({
    name: 'forecast',
    arguments: { city: 7 },
    _meta: { 'x402/payment': payment },
  })
  expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('Invalid arguments') }] })
  expect(shop.stub.verified).toEqual([])
})

test('a price may depend on the arguments', async () => {
  const shop = await openShop((server, paid) => {
    const price = ({ arguments: args }: { arguments: unknown }) =>
      (args as { pages: number }).pages > 1 ? '$0.002' : '$0.001'
    const tool = paid.tool('scan', { price }, async ({ pages }: { pages: number }) => text(`${pages}`))
    server.registerTool('scan', { inputSchema: { pages: z.number() } }, tool)
  })
  expect(await shop.paying.quote({ name: 'scan', arguments: { pages: 1 } })).toMatchObject({
    status: 'payable',
    amount: 1000n,
  })
  expect(await shop.paying.quote({ name: 'scan', arguments: { pages: 9 } })).toMatchObject({
    status: 'payable',
    amount: 2000n,
  })
  const result = await shop.paying.callTool({ name: 'scan', arguments: { pages: 9 } })
  expect(shop.paying.outcome(result)).toMatchObject({ status: 'settled', payment: { amount: 2000n } })
})
