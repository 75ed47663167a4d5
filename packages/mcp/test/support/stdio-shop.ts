// A paid MCP server over stdio, as a program of its own. Its facilitator says yes; what it does is told on standard error.
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import * as z from 'zod'
import { paywall } from '../../src/server/index.js'
import { stubFacilitator } from './facilitator.js'

const paid = paywall({
  facilitator: stubFacilitator(),
  payTo: { 'base-sepolia': '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' },
  schemes: [exactEvm],
  store: createMemoryClaims({ singleProcess: true }),
})
const server = new McpServer({ name: 'shop', version: '1' })
const forecast = paid.tool('forecast', '$0.001', async ({ city }: { city: string }) => ({
  content: [{ type: 'text', text: `Sun over ${city}` }],
}))
server.registerTool('forecast', { inputSchema: { city: z.string() } }, forecast)
await server.connect(new StdioServerTransport())
