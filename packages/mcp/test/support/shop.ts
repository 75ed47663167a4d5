import { createPayer, type Payer, type PayerOptions } from '@groat/client'
import { exactEvm as exactEvmClient, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { onTestFinished } from 'vitest'
import { payingClient } from '../../src/client/index.js'
import { type McpPaywall, type McpPaywallOptions, paywall } from '../../src/server/index.js'
import { type StubFacilitator, stubFacilitator } from './facilitator.js'

export const account = privateKeyAccount(`0x${'7'.repeat(64)}`)
export const SELLER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
/** What a server over a pipe is called. */
export const SERVER = 'http://localhost/shop'

/** A server of the official SDK with paid callbacks, and an official client that is connected to it. */
export type Shop = {
  readonly stub: StubFacilitator
  readonly client: Client
  readonly payer: Payer
  readonly paying: ReturnType<typeof payingClient>
}

export async function openShop(
  register: (server: McpServer, paid: McpPaywall) => void,
  {
    options = {},
    payer: payerOptions = {},
  }: { options?: Partial<McpPaywallOptions>; payer?: Partial<PayerOptions> } = {},
): Promise<Shop> {
  const stub = stubFacilitator()
  const paid = paywall({
    facilitator: stub,
    payTo: { 'base-sepolia': SELLER },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
    ...options,
  })
  const server = new McpServer({ name: 'shop', version: '1' })
  register(server, paid)
  await paid.ready()
  const client = new Client({ name: 'buyer', version: '1' })
  const [near, far] = InMemoryTransport.createLinkedPair()
  await server.connect(far)
  await client.connect(near)
  onTestFinished(async () => {
    await client.close()
    await server.close()
  })
  const payer = createPayer({ schemes: [exactEvmClient({ account })], ...payerOptions })
  return { stub, client, payer, paying: payingClient(client, payer, { server: SERVER }) }
}

export const text = (text: string) => ({ content: [{ type: 'text' as const, text }] })
