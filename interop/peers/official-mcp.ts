import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { x402Client } from '@x402/core/client'
import type { PaymentPayload, PaymentRequired } from '@x402/core/types'
import { officialSeller } from './official-seller.js'

/**
 * What the transport's text has an MCP client do, by the official packages: call, pay what `structuredContent` asks for, call again. The package that
 * does it whole is not to be had, so the few lines stand here.
 */
export async function officialCall(client: Client, payer: x402Client, name: string, args: Record<string, unknown>) {
  const asked = (await client.callTool({ name, arguments: args })) as CallToolResult
  if (asked.isError !== true) return { result: asked }
  const payment = await payer.createPaymentPayload(asked.structuredContent as unknown as PaymentRequired)
  const present = async () =>
    (await client.callTool({ name, arguments: args, _meta: { 'x402/payment': payment } })) as CallToolResult
  return { result: await present(), present }
}

/** An MCP server whose one tool, `forecast`, is sold by the official resource server as the transport's text has it. */
export async function officialMcpServer(facilitatorUrl: string, payTo: string): Promise<McpServer> {
  const { seller, offers } = await officialSeller(facilitatorUrl, payTo)
  const ask = async (error: string): Promise<CallToolResult> => {
    const resource = { url: 'mcp://tool/forecast', description: 'Tool: forecast', mimeType: 'application/json' }
    const required = await seller.createPaymentRequiredResponse(offers, resource, error)
    return {
      isError: true,
      structuredContent: { ...required },
      content: [{ type: 'text', text: JSON.stringify(required) }],
    }
  }
  const server = new McpServer({ name: 'official', version: '1' })
  server.registerTool('forecast', {}, async ({ _meta }) => {
    const payment = _meta?.['x402/payment'] as PaymentPayload | undefined
    if (payment === undefined) return ask('Payment required to access this tool')
    const offer = seller.findMatchingRequirements(offers, payment)
    if (offer === undefined) return ask('No matching payment requirements found')
    const verdict = await seller.verifyPayment(payment, offer)
    if (!verdict.isValid) return ask(verdict.invalidReason ?? 'Payment verification failed')
    const receipt = await seller.settlePayment(payment, offer)
    return { content: [{ type: 'text', text: 'sunny' }], _meta: { 'x402/payment-response': receipt } }
  })
  return server
}
