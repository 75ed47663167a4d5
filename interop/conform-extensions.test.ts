// What the kit holds to be right of extensions and MCP is held against packages that are not ours.
import { type CheckResult, type ClientEndpoint, run, type Target } from '@groat/conformance'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { x402Client } from '@x402/core/client'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme as OfficialClient } from '@x402/evm/exact/client'
import { ExactEvmScheme as OfficialServer } from '@x402/evm/exact/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import { bazaarResourceServerExtension, declareDiscoveryExtension } from '@x402/extensions/bazaar'
import {
  createEIP712OfferReceiptIssuer,
  createOfferReceiptExtension,
  declareOfferReceiptExtension,
} from '@x402/extensions/offer-receipt'
import { appendPaymentIdentifierToExtensions } from '@x402/extensions/payment-identifier'
import {
  createSIWxClientExtension,
  createSIWxResourceServerExtension,
  declareSIWxExtension,
  InMemorySIWxStorage,
} from '@x402/extensions/sign-in-with-x'
import { wrapFetchWithPayment } from '@x402/fetch'
import express from 'express'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { listen } from './peers/listen.js'
import { officialCall } from './peers/official-mcp.js'

const NETWORK = 'eip155:84532'

/** The official client for a wallet, with two of its extensions. */
function officialPayer(key = '') {
  const account = privateKeyToAccount(key as `0x${string}`)
  const payer = new x402Client().register('eip155:*', new OfficialClient(account))
  payer.registerExtension(createSIWxClientExtension({ signers: [account] }) as never)
  payer.registerExtension({
    key: 'payment-identifier',
    enrichPaymentPayload: async (payload) => ({
      ...payload,
      extensions: appendPaymentIdentifierToExtensions(structuredClone(payload.extensions ?? {})),
    }),
  })
  return payer
}

const officialClient: ClientEndpoint = {
  extensions: ['sign-in-with-x', 'payment-identifier'],
  async fetch({ request: { url, method }, wallet }) {
    const response = await wrapFetchWithPayment(fetch, officialPayer(wallet.eip155))(url, { method })
    return { ok: { status: response.status } }
  },
  async call({ server, tool, arguments: given, wallet }) {
    const client = new Client({ name: 'official', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(server)) as Parameters<Client['connect']>[0])
    const { result } = await officialCall(client, officialPayer(wallet.eip155), tool, { ...given })
    await client.close()
    return { ok: { result } }
  },
}

/** The official server, which signs its offers at one route and takes sign-ins at another. */
async function openOfficialServer(env: Readonly<Record<string, string>>) {
  const { X402_FACILITATOR_URL = '', X402_PAY_TO = '', X402_SIGNING_KEY = '', X402_ORIGIN = '' } = env
  const signer = privateKeyToAccount(X402_SIGNING_KEY as `0x${string}`)
  const issuer = createEIP712OfferReceiptIssuer(`did:pkh:eip155:1:${signer.address}#key`, (data) =>
    signer.signTypedData(data as never),
  )
  const facilitator = new HTTPFacilitatorClient({ url: X402_FACILITATOR_URL })
  const server = new x402ResourceServer(facilitator).register(NETWORK, new OfficialServer())
  server.registerExtension(createOfferReceiptExtension(issuer) as never)
  const storage = new InMemorySIWxStorage()
  server.registerExtension(createSIWxResourceServerExtension({ storage, origin: X402_ORIGIN }) as never)
  server.registerExtension(bazaarResourceServerExtension)
  await server.initialize()
  const accepts = { scheme: 'exact', price: '$0.01', network: NETWORK, payTo: X402_PAY_TO }
  const routes = {
    'GET /conformance/signed': { accepts, extensions: declareOfferReceiptExtension({}) },
    'GET /conformance/listed': { accepts, extensions: declareDiscoveryExtension({ input: { day: 1 } }) },
    'GET /conformance/pass': { accepts, extensions: declareSIWxExtension({ network: NETWORK }) },
  }
  const app = express()
  app.get('/conformance/hits', (_, response) => void response.json({ hits: {} }))
  app.use(paymentMiddleware(routes as never, server))
  app.use((_, response) => void response.json({ resource: 'groat-conformance-secret' }))
  return listen(app)
}

async function verdictsOf(roles: Target['roles'], only: readonly string[]) {
  const results: CheckResult[] = []
  for await (const event of run({ target: { name: 'official', roles }, only, families: ['evm'] }))
    if (event.type === 'result') results.push(event)
  return results.map(({ check, status, finding }) => [check, status, ...(finding ? [finding] : [])])
}

const passed = (ids: readonly string[]) => ids.map((id) => [`${id}/evm`, 'pass']).sort()

test('EXT-SIGN-020 EXT-SIGN-022 EXT-ID-020 MCP-030 MCP-031 the official client signs, names and pays as the kit has it', async () => {
  const ids = [
    'EXT-ID-020/names',
    'EXT-ID-020/different',
    'EXT-SIGN-020/text',
    'EXT-SIGN-020/plain',
    'EXT-SIGN-022/chain',
    'MCP-030/meta',
    'MCP-031/whole',
  ]
  const found = await verdictsOf({ client: officialClient }, ids)
  expect(found.sort()).toEqual(passed(ids))
})

test('EXT-OFFER-010 EXT-SIGN-002 the official server signs offers and receipts, and takes the proofs of the kit', async () => {
  const ids = ['EXT-OFFER-010/offer', 'EXT-OFFER-010/receipt', 'EXT-SIGN-002/stranger']
  const found = await verdictsOf({ server: { open: openOfficialServer } }, ids)
  expect(found.sort()).toEqual(passed(ids))
})

test('BAZAAR-001 BAZAAR-002 BAZAAR-003 BAZAAR-005 the official server says how its things are called as the kit has it', async () => {
  const ids = ['BAZAAR-001/schema', 'BAZAAR-002/method', 'BAZAAR-003/size', 'BAZAAR-005/form']
  const found = await verdictsOf({ server: { open: openOfficialServer } }, ids)
  expect(found.sort()).toEqual(passed(ids))
})
