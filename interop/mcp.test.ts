import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as exactEvmFacilitator } from '@groat/evm/exact/facilitator'
import { exactEvm } from '@groat/evm/exact/server'
import { payingClient } from '@groat/mcp/client'
import { paywall } from '@groat/mcp/server'
import { createMemoryClaims } from '@groat/server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { x402Client } from '@x402/core/client'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createPaymentHeader } from 'x402/client'
import { createSigner } from 'x402/types'
import { officialCall, officialMcpServer } from './peers/official-mcp.js'
import { ourEvmPayer, ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

const stage = useStage()
let facilitator: string
beforeAll(async () => {
  const { rpcUrl } = stage.chain
  const chain = await createEvmChain({
    network: network('base-sepolia'),
    rpc: rpcUrl,
    signers: [stage.chain.account('facilitator').privateKey],
  })
  facilitator = (await stage.keep(ourFacilitator(exactEvmFacilitator({ chains: [chain] })))).url
})

/** An official client, connected to a server. */
async function connected(server: McpServer): Promise<Client> {
  const client = new Client({ name: 'buyer', version: '1' })
  const [near, far] = InMemoryTransport.createLinkedPair()
  await server.connect(far)
  await client.connect(near)
  onTestFinished(() => client.close())
  return client
}

/** Our paid server, with one tool. */
async function ourShop() {
  const runs: string[] = []
  const paid = paywall({
    facilitator,
    payTo: { 'base-sepolia': stage.chain.account('seller').address },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const server = new McpServer({ name: 'shop', version: '1' })
  const forecast = paid.tool('forecast', '$0.001', async () => {
    runs.push('forecast')
    return { content: [{ type: 'text', text: 'sunny' }] }
  })
  server.registerTool('forecast', { description: 'The weather' }, forecast)
  await paid.ready()
  return { client: await connected(server), runs }
}

test('MCP-001 MCP-003 MCP-007 an unmodified client that pays by the official packages buys from our server, once', async () => {
  const { client, runs } = await ourShop()
  const { address, privateKey } = stage.chain.account('payer')
  const payer = new x402Client().register('eip155:*', new ExactEvmScheme(privateKeyToAccount(privateKey)))
  const moved = await stage.moved(address, async () => {
    const { result, present } = await officialCall(client, payer, 'forecast', {})
    expect(result).toMatchObject({
      content: [{ text: 'sunny' }],
      _meta: {
        'x402/payment-response': { success: true, network: 'eip155:84532', transaction: expect.stringMatching(/^0x/) },
      },
    })
    expect(await present?.()).toEqual(result)
  })
  expect(moved).toEqual({ paid: 1000n, earned: 1000n, transfers: 1 })
  expect(runs).toEqual(['forecast'])
})

test('MCP-030 MCP-004 our client buys from an unmodified server that sells by the official packages', async () => {
  const { address, privateKey } = stage.chain.account('payer')
  const client = await connected(await officialMcpServer(facilitator, stage.chain.account('seller').address))
  const paying = payingClient(client, ourEvmPayer(privateKey), { server: 'http://localhost/official' })
  const moved = await stage.moved(address, async () => {
    const result = await paying.callTool({ name: 'forecast' })
    expect(result.content).toEqual([{ type: 'text', text: 'sunny' }])
    expect(paying.outcome(result)).toMatchObject({ status: 'settled', payment: { amount: 1000n, x402Version: 2 } })
  })
  expect(moved).toEqual({ paid: 1000n, earned: 1000n, transfers: 1 })
})

test('MCP-005 MCP-006 a payment of the legacy package buys from our server under the key of its time', async () => {
  const { client, runs } = await ourShop()
  const { address, privateKey } = stage.chain.account('payer')
  const probe = { 'x402/payment': { x402Version: 1 } }
  const asked = await client.callTool({ name: 'forecast', arguments: {}, _meta: probe })
  const { accepts } = asked.structuredContent as { accepts: Parameters<typeof createPaymentHeader>[2][] }
  const signer = await createSigner('base-sepolia', privateKey as Hex)
  const header = await createPaymentHeader(signer, 1, accepts[0]!)
  const moved = await stage.moved(address, async () => {
    const result = await client.callTool({ name: 'forecast', arguments: {}, _meta: { 'x402.payment': header } })
    expect(result).toMatchObject({
      content: [{ text: 'sunny' }],
      _meta: { 'x402.payment-response': { success: true, network: 'base-sepolia' } },
    })
  })
  expect(moved).toEqual({ paid: 1000n, earned: 1000n, transfers: 1 })
  expect(runs).toEqual(['forecast'])
})
