import { createPayer } from '@groat/client'
import { exactEvm as exactEvmClient, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { payingClient } from '@groat/mcp/client'
import { paywall } from '@groat/mcp/server'
import { createMemoryClaims } from '@groat/server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import * as z from 'zod'
import { listen } from '../lib/http.mjs'
import { startStubFacilitator } from '../lib/stub-facilitator.mjs'

const ROUNDS = Number(process.env.GROAT_BENCH_ROUNDS ?? 200)
const WARM_UP = 20
/** What a paid call may take above the same call unpaid: issue 9. */
const MOST_MS = 10

/**
 * How much longer a paid tool call takes than the same call of a free tool, at the median: the call without payment, the signature, the call with it, verify and
 * settle over HTTP with a facilitator that says yes at once. Over memory, and over streamable HTTP.
 */
export async function run() {
  const facilitator = await startStubFacilitator()
  const paid = paywall({
    facilitator: facilitator.url,
    payTo: { 'base-sepolia': '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const forecast = ({ city }) => ({ content: [{ type: 'text', text: `Sun over ${city}` }] })
  const tool = paid.tool('paid', '$0.001', async (args) => forecast(args))
  const serverOf = () => {
    const server = new McpServer({ name: 'bench', version: '1' })
    const inputSchema = { city: z.string() }
    server.registerTool('free', { inputSchema }, async (args) => forecast(args))
    server.registerTool('paid', { inputSchema }, tool)
    return server
  }
  await paid.ready()
  const payer = createPayer({ schemes: [exactEvmClient({ account: privateKeyAccount(`0x${'7'.repeat(64)}`) })] })

  const [near, far] = InMemoryTransport.createLinkedPair()
  const inMemory = new Client({ name: 'bench', version: '1' })
  const memoryServer = serverOf()
  await memoryServer.connect(far)
  await inMemory.connect(near)

  const http = await listen(async (request, response) => {
    const server = serverOf()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    response.on('close', () => void server.close())
    await server.connect(transport)
    await transport.handleRequest(request, response)
  })
  const overHttp = new Client({ name: 'bench', version: '1' })
  await overHttp.connect(new StreamableHTTPClientTransport(new URL(http.url)))

  try {
    console.log('\na paid tool call and the same call of a free tool, one at a time, median')
    for (const [name, client] of [
      ['in memory', inMemory],
      ['streamable HTTP', overHttp],
    ]) {
      const { free, bought, cpu } = await measure(
        client,
        payingClient(client, payer, { server: 'http://localhost/bench' }),
      )
      const cost = median(bought) - median(free)
      const verdict = cost <= MOST_MS ? `within ${MOST_MS} ms` : `ABOVE ${MOST_MS} ms`
      console.log(
        `  ${name.padEnd(16)} free ${median(free).toFixed(2)} ms   paid ${median(bought).toFixed(2)} ms   +${cost.toFixed(2)} ms, ${verdict} (processor: +${median(cpu).toFixed(2)} ms)`,
      )
    }
  } finally {
    await inMemory.close()
    await memoryServer.close()
    await overHttp.close()
    await http.close()
    await facilitator.close()
  }
}

/** Both kinds of call take turns. */
async function measure(client, paying) {
  const times = { free: [], bought: [], cpu: [] }
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const args = { city: `city ${round}` }
    const free = await timed(() => client.callTool({ name: 'free', arguments: args }))
    const bought = await timed(() => paying.callTool({ name: 'paid', arguments: args }))
    if (paying.outcome(bought.result)?.status !== 'settled') throw new Error('a call was not paid')
    if (round < WARM_UP) continue
    times.free.push(free.ms)
    times.bought.push(bought.ms)
    times.cpu.push(bought.cpu - free.cpu)
  }
  return times
}

/** Of a call, the time on the clock and the time of the processor, which others on the machine do not lengthen. */
async function timed(call) {
  const before = process.cpuUsage()
  const start = performance.now()
  const result = await call()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  return { result, ms, cpu: (user + system) / 1000 }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
