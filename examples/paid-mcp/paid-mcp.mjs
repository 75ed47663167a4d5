// A paid MCP server and an agent that buys from it, on a local chain: npm start (after `npm run build` in the root).
// With `--server` this file is the server, over stdio, as an MCP client starts it.
import { fileURLToPath } from 'node:url'
import { startSandbox } from '@groat/cli'
import { createPayer } from '@groat/client'
import { exactEvm as exactEvmClient, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { payingClient } from '@groat/mcp/client'
import { paywall } from '@groat/mcp/server'
import { createMemoryClaims } from '@groat/server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { z } from 'zod'

if (process.argv.includes('--server')) await serve()
else await buy()

async function serve() {
  const { FACILITATOR, PAY_TO } = process.env
  const paid = paywall({
    facilitator: FACILITATOR,
    payTo: { 'base-sepolia': PAY_TO },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const forecast = paid.tool('forecast', '$0.001', async ({ city }) => ({
    content: [{ type: 'text', text: `Sun over ${city}` }],
  }))
  const server = new McpServer({ name: 'weather', version: '1.0.0' })
  server.registerTool('forecast', { description: 'The weather', inputSchema: { city: z.string() } }, forecast)
  await paid.ready()
  await server.connect(new StdioServerTransport())
}

async function buy() {
  const { ready, stop } = await startSandbox({ only: 'evm', port: 0 })
  const account = (role) => ready.accounts.find((each) => each.role === role).evm
  const client = new Client({ name: 'agent', version: '1.0.0' })
  try {
    const env = { ...process.env, FACILITATOR: ready.facilitator.url, PAY_TO: account('seller').address }
    const args = [fileURLToPath(import.meta.url), '--server']
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env }))
    const payer = createPayer({
      schemes: [exactEvmClient({ account: privateKeyAccount(account('payer').privateKey) })],
      policy: { perPayment: '$0.01' },
    })
    const paying = payingClient(client, payer, { server: 'http://localhost/weather' })
    const result = await paying.callTool({ name: 'forecast', arguments: { city: 'Oslo' } })
    console.log(result.content[0].text, paying.outcome(result).status, paying.receipt(result).transaction)
  } finally {
    await client.close()
    await stop()
  }
}
