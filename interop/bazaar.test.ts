import { createPayer } from '@groat/client'
import { findServices } from '@groat/client/buyer'
import { exactEvm as pays } from '@groat/evm/exact/client'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { bazaar } from '@groat/extensions/bazaar/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { getRequestListener } from '@hono/node-server'
import { x402Client } from '@x402/core/client'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme as OfficialClient } from '@x402/evm/exact/client'
import { ExactEvmScheme as OfficialServer } from '@x402/evm/exact/server'
import { x402ResourceServer as OfficialResourceServer, paymentMiddleware } from '@x402/express'
import { bazaarResourceServerExtension, declareDiscoveryExtension, withBazaar } from '@x402/extensions/bazaar'
import { wrapFetchWithPayment } from '@x402/fetch'
import express from 'express'
import { Hono } from 'hono'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { useCatalogue } from './catalogue-kit.js'
import { NETWORK } from './extensions-kit.js'
import { listen } from './peers/listen.js'

// Sellers and buyers of both houses, and one catalogue: ours.

const EIP155 = 'eip155:84532'
const market = useCatalogue()
const { stage } = market

const account = () => privateKeyToAccount(stage.chain.account('payer').privateKey)
const payTo = () => stage.chain.account('seller').address

/** Their Express server, which says how its route is called. */
async function officialShop(): Promise<string> {
  const app = express()
  const { url } = await stage.keep(listen(app))
  const server = new OfficialResourceServer(new HTTPFacilitatorClient({ url: market.facilitator })).register(
    EIP155,
    new OfficialServer(),
  )
  server.registerExtension(bazaarResourceServerExtension)
  await server.initialize()
  const inputSchema = { properties: { lang: { type: 'string' } } }
  const extensions = declareDiscoveryExtension({
    input: { lang: 'pl' },
    inputSchema,
    output: { example: { title: 'Sample' } },
  })
  const accepts = { scheme: 'exact', price: '$0.001', network: NETWORK, payTo: payTo() }
  app.use(
    paymentMiddleware({ 'GET /books/:isbn': { accepts, description: 'Their books', extensions } } as never, server),
  )
  app.get('/books/:isbn', (_request, response) => void response.json({ title: 'Sample' }))
  return url
}

/** Our gate, which says how its route is called. */
async function ourShop(): Promise<string> {
  const app = new Hono()
  const { url } = await stage.keep(listen(getRequestListener((request) => app.fetch(request))))
  const store = createMemoryClaims({ singleProcess: true })
  const paid = paywall({
    facilitator: market.facilitator,
    payTo: { [NETWORK]: payTo() },
    schemes: [sells],
    store,
    origin: url,
    extensions: [bazaar],
  })
  const query = { type: 'object', properties: { units: { type: 'string' } } }
  const route = {
    name: 'GET /weather/:city',
    price: '$0.002',
    description: 'Our weather',
    serviceName: 'Weather',
    extensions: { bazaar: { query } },
  }
  app.get('/weather/:city', paid(route), (c) => c.json({ temperature: 11 }))
  await paid.ready()
  return url
}

test('FAC-120 what both houses declare, and both houses’ buyers echo, is listed, and the published client lists and searches it', async () => {
  const theirs = await officialShop()
  const ours = await ourShop()
  const client = new x402Client().register('eip155:*', new OfficialClient(account()))
  const theirBuyer = wrapFetchWithPayment(fetch, client)
  const ourBuyer = createPayer({ schemes: [pays({ account: account() })] })
  const buyers = [(url: string) => ourBuyer.fetch(url), (url: string) => theirBuyer(url)]
  for (const buy of buyers) {
    for (const url of [`${theirs}/books/978?lang=pl`, `${ours}/weather/oslo`]) expect((await buy(url)).status).toBe(200)
  }
  await market.catalogue.flush()
  const { bazaar: before } = withBazaar(new HTTPFacilitatorClient({ url: market.facilitator })).extensions
  expect((await before.listResources({ limit: 10 })).items.map(({ description }) => description)).toEqual([
    undefined,
    undefined,
  ])
  // Both shops speak for themselves when they are asked.
  expect(await market.prober.round()).toBe(2)

  const { bazaar: discovery } = withBazaar(new HTTPFacilitatorClient({ url: market.facilitator })).extensions
  const listed = await discovery.listResources({ type: 'http', limit: 10 })
  expect(listed.pagination.total).toBe(2)
  expect(
    listed.items.map(({ resource, type, accepts, description }) => [resource, type, accepts.length, description]),
  ).toEqual([
    [`${theirs}/books/:isbn`, 'http', 1, 'Their books'],
    [`${ours}/weather/:city`, 'http', 1, 'Our weather'],
  ])
  expect(
    listed.items.map(({ extensions }) => (extensions as { bazaar: { info: { input: object } } }).bazaar.info.input),
  ).toEqual([
    { type: 'http', method: 'GET', queryParams: { lang: 'pl' }, pathParams: { isbn: 'isbn' } },
    { type: 'http', method: 'GET', queryParams: {}, pathParams: { city: 'city' } },
  ])
  expect((await discovery.search({ query: 'weather' })).resources.map(({ resource }) => resource)).toEqual([
    `${ours}/weather/:city`,
  ])

  const found = await findServices({ query: 'books', catalogues: [market.facilitator] })
  expect(found.services.map(({ url, offers }) => [url, offers.map(({ offer }) => offer.amount)])).toEqual([
    [`${theirs}/books/:isbn`, [1000n]],
  ])
})
