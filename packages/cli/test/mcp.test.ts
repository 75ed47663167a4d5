import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { decodePayment, extensionInfo } from '@groat/core'
import { exactEvm } from '@groat/evm/exact/server'
import { memoryIdentifiers, paymentIdentifiers } from '@groat/extensions/payment-identifier/server'
import { boundRequests } from '@groat/extensions/request-binding/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { createAdaptorServer } from '@hono/node-server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { type CallToolResult, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../server/test/listen.js'
import { type McpCommand, runMcp } from '../src/commands/mcp.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

let sandbox: Sandbox
let api: string
let folder: string
beforeAll(async () => {
  sandbox = await startSandbox({ only: 'evm' })
  api = sandbox.ready.api?.url ?? ''
})
afterAll(() => sandbox?.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-mcp-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await policy()
})

/** What the user allows, here where the sellers of these tests are. */
const policy = (text = '', here = 'private_addresses: true') =>
  writeFile(join(folder, 'policy.yaml'), `${here}\n${text}`)
const ioHere = () => recordedIo({ environment: { GROAT_HOME: folder } })

/** An agent's client on `groat mcp`; the person behind it says this to what is to be approved. */
async function agent(options: McpCommand = {}, person?: boolean) {
  const [near, far] = InMemoryTransport.createLinkedPair()
  const running = runMcp(options, ioHere(), far)
  const client = new Client(
    { name: 'agent', version: '1' },
    { capabilities: person === undefined ? {} : { elicitation: {} } },
  )
  const asked: string[] = []
  if (person !== undefined) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      asked.push(params.message)
      return { action: 'accept', content: { pay: person } }
    })
  }
  await client.connect(near)
  onTestFinished(async () => {
    await client.close()
    expect(await running).toBe(0)
  })
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const result = (await client.callTool({ name, arguments: args })) as CallToolResult
    return { isError: result.isError === true, says: result.structuredContent, rest: result.content.slice(1) }
  }
  return { client, call, asked }
}

test('the tools say what they do, and that limits are the user’s', async () => {
  const { client } = await agent()
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual(['find', 'receipts', 'budget', 'quote', 'pay'])
  for (const { description, inputSchema } of tools) {
    expect(description).toMatch(/\.$/)
    for (const field of Object.values(inputSchema.properties ?? {})) expect(field).toHaveProperty('description')
  }
  expect(client.getInstructions()).toContain('No tool changes a limit')
})

test('an agent asks for a price, pays it, and is told what was paid and what is left', async () => {
  await policy('per_payment: $0.05\nper_day: $0.0025\n')
  const { call } = await agent({ task: 'forecast' })
  const url = `${api}/weather`
  expect(await call('quote', { url })).toMatchObject({
    isError: false,
    says: { status: 'payable', price: { amount: '0.001 USDC', atomic_units: '1000', network: 'eip155:84532' } },
  })
  const paid = await call('pay', { url })
  expect(paid).toMatchObject({
    isError: false,
    says: {
      status: 'paid',
      http_status: 200,
      paid: { amount: '0.001 USDC', atomic_units: '1000', transaction: expect.stringMatching(/^0x/) },
      left: [{ rule: 'perDay', spent: '$0.001', limit: '$0.0025', left: '$0.0015' }],
    },
    rest: [{ type: 'text', text: expect.stringContaining('temperature') }],
  })
  expect((await call('receipts')).says).toMatchObject({
    receipts: [{ amount: '0.001 USDC', origin: api, state: 'settled', task: 'forecast' }],
  })
  expect((await call('budget')).says).toMatchObject({
    per_payment: '$0.05',
    budgets: [{ rule: 'perDay', left: '$0.0015' }],
  })
  await call('pay', { url })
  const third = await call('pay', { url })
  expect(third).toMatchObject({
    isError: true,
    says: { status: 'refused', paid: false, code: 'budget_exceeded', rules: ['perDay'], left: [{ left: '$0.0005' }] },
  })
})

test('an agent can lower a limit and never raise one', async () => {
  await policy('per_payment: $0.0005\n')
  const { call } = await agent()
  const url = `${api}/weather`
  expect((await call('pay', { url, max: '$5' })).says).toMatchObject({ status: 'refused', rules: ['perPayment'] })
  await policy('per_payment: $0.05\n')
  const { call: richer } = await agent()
  expect((await richer('pay', { url, max: '$0.0005' })).says).toMatchObject({
    status: 'refused',
    code: 'amount_over_limit',
  })
  expect((await richer('receipts')).says).toEqual({ receipts: [] })
})

test('a task that the user has set has one budget, whatever the agent calls it', async () => {
  await policy('per_payment: $0.05\nper_task: $0.0015\n')
  const { client, call } = await agent({ task: 'forecast' })
  const url = `${api}/weather`
  expect((await call('pay', { url })).says).toMatchObject({ status: 'paid' })
  for (const task of ['another', '', 'forecast ']) {
    expect((await call('pay', { url, task })).says).toMatchObject({ status: 'failed', hint: 'Leave "task" out.' })
  }
  for (const more of [{}, { task: 'forecast' }]) {
    expect((await call('pay', { url, ...more })).says).toMatchObject({ status: 'refused', code: 'budget_exceeded' })
  }
  expect((await call('receipts')).says?.receipts).toHaveLength(1)
  // Both can make any request, and a client that lets tools run which change nothing has to know that.
  const { tools } = await client.listTools()
  const changing = tools.filter(({ annotations }) => annotations?.readOnlyHint !== true).map(({ name }) => name)
  expect(changing).toEqual(['quote', 'pay'])
})

test.each([
  ['http elsewhere', 'http://169.254.169.254/latest/meta-data', 'insecure_origin'],
  ['what the policy does not name', 'https://elsewhere.example/', 'origin_not_allowed'],
])('%s is not even asked', async (_, url, code) => {
  await policy(`origins: ["${api}"]\n`, '')
  const { call } = await agent()
  expect(await call('quote', { url })).toMatchObject({ isError: true, says: { status: 'failed', code } })
  expect(await call('pay', { url })).toMatchObject({ isError: true, says: { status: 'failed', code } })
})

test('this machine is asked where the user has named it, and nowhere else', async () => {
  const url = `${api}/weather`
  await policy('per_payment: $0.05\n', '')
  const { call } = await agent()
  for (const tool of ['quote', 'pay']) {
    expect(await call(tool, { url })).toMatchObject({
      isError: true,
      says: { code: 'private_address', hint: expect.stringMatching(/groat mcp --site URL.*private_addresses: true/) },
    })
  }
  expect((await call('find', { site: api })).says).toMatchObject({
    services: [],
    no_answer_from: expect.arrayContaining([expect.stringContaining(api)]),
  })
  const { call: shown } = await agent({ site: [api] })
  expect((await shown('quote', { url })).says).toMatchObject({ status: 'payable' })
  await policy(`origins: ["${api}"]\n`, '')
  const { call: allowed } = await agent()
  expect((await allowed('pay', { url })).says).toMatchObject({ status: 'paid' })
})

test('above the line that the user drew the person is asked, and only a person can say yes', async () => {
  await policy('ask_above: $0.0001\n')
  const url = `${api}/weather`
  const alone = await agent()
  expect((await alone.call('pay', { url })).says).toMatchObject({ status: 'refused', paid: false })
  const no = await agent({}, false)
  expect((await no.call('pay', { url })).says).toMatchObject({ status: 'refused', paid: false })
  const yes = await agent({}, true)
  expect((await yes.call('pay', { url })).says).toMatchObject({ status: 'paid' })
  expect([no.asked, yes.asked].map((asked) => asked.length)).toEqual([1, 1])
  expect(yes.asked[0]).toContain('Pay 0.001 USDC on eip155:84532')
})

test('the same purchase by one key is paid once', async () => {
  const { call } = await agent()
  const wanted = { url: `${api}/weather`, idempotency_key: 'one' }
  const all = await Promise.all([call('pay', wanted), call('pay', wanted)])
  expect(all.map(({ says }) => says?.status)).toEqual(['paid', 'paid'])
  expect((await call('receipts')).says?.receipts).toHaveLength(1)
})

test('services that a site tells of are found', async () => {
  const { call } = await agent()
  const none = await call('find', { query: 'weather' })
  expect(none).toMatchObject({ isError: true, says: { reason: 'nowhere to look' } })
  const found = await call('find', { site: api })
  expect(found.says).toMatchObject({ services: expect.any(Array) })
})

test('arguments that no tool has are refused by their names', async () => {
  const { call, client } = await agent()
  for (const tool of ['find', 'receipts', 'budget', 'quote', 'pay']) {
    const wanted = tool === 'quote' || tool === 'pay' ? { url: `${api}/weather` } : {}
    const { isError } = await call(tool, { ...wanted, max_price: '$1' })
    const { content } = (await client.callTool({
      name: tool,
      arguments: { ...wanted, max_price: '$1' },
    })) as CallToolResult
    expect([isError, JSON.stringify(content)]).toEqual([true, expect.stringContaining('max_price')])
  }
  expect((await call('receipts')).says?.receipts).toEqual([])
})

test('a server that is not there is told of, and nothing else', async () => {
  const { call } = await agent()
  expect(await call('pay', { url: 'http://127.0.0.1:9/none' })).toMatchObject({
    isError: true,
    says: { status: 'unreachable' },
  })
})

test('standard output is the protocol’s alone', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const io = ioHere()
  const running = runMcp({}, io, new StdioServerTransport(input, output))
  const init = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
  input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: init })}\n`)
  const line = await new Promise<string>((resolve) => output.once('data', (chunk) => resolve(String(chunk))))
  expect(JSON.parse(line)).toMatchObject({ id: 1, result: { serverInfo: { name: 'groat' } } })
  io.stop()
  expect(await running).toBe(0)
  expect(io.written()).toBe('')
})

test('EXT-ID-020 EXT-BIND-002 an agent names its payments and binds them to their requests where a shop asks for that', async () => {
  await policy('per_payment: $0.05\n')
  const app = new Hono()
  const { url, close } = await listen(createAdaptorServer({ fetch: app.fetch }) as Parameters<typeof listen>[0])
  onTestFinished(close)
  const paid = paywall({
    facilitator: sandbox.ready.facilitator.url,
    payTo: { 'base-sepolia': sandbox.ready.accounts.find(({ role }) => role === 'seller')?.evm?.address ?? '' },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
    origin: url,
    extensions: [paymentIdentifiers({ store: memoryIdentifiers() }), boundRequests()],
  })
  const ids: unknown[] = []
  app.use(async (c, next) => {
    const payment = decodePayment((name) => c.req.header(name) ?? null)
    if (payment?.ok) ids.push(extensionInfo(payment.value.extensions, 'payment-identifier')?.id)
    await next()
  })
  const extensions = { 'payment-identifier': { required: true }, 'groat-request-binding': true }
  app.post('/order', paid({ price: '$0.001', extensions }), async (c) => c.text(`made ${await c.req.text()}`))
  const { call } = await agent()
  const order = { url: `${url}/order?dry=0`, method: 'POST', body: 'tea', idempotency_key: 'order-7' }
  expect(await call('pay', order)).toMatchObject({
    isError: false,
    says: { status: 'paid', http_status: 200 },
    rest: [{ text: expect.stringContaining('made tea') }],
  })
  expect(ids).toEqual([expect.stringMatching(/^pay_[0-9a-f]{32}$/)])
})
