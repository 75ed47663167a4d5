// Our gate on Hono, as a target that the kit starts.
import type { SchemeServer } from '@groat/core'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { builderCodes } from '@groat/extensions/builder-code/server'
import { type ArtifactIssuer, jwsIssuer, signedOffers, typedDataIssuer } from '@groat/extensions/offer-receipt/server'
import { memoryIdentifiers, paymentIdentifiers } from '@groat/extensions/payment-identifier/server'
import { memorySignIns, signedInOnly, signIns } from '@groat/extensions/sign-in-with-x/server'
import { createFacilitatorClient, createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { exactSvm } from '@groat/svm/exact/server'
import { type Context, Hono } from 'hono'
import { listenOn } from '../listen.js'
import { openAgent } from './a2a.js'
import { addDescribed, describedRoutes } from './described.js'
import { addExperiments, experimentRoutes } from './experiments.js'
import { openMcp } from './mcp.js'

/** What is sold at every paid route. */
export const secret = { resource: 'groat-conformance-secret' }

/** What it has beside `paid`. */
export const routes: readonly string[] = [
  ...['failing', 'throwing', 'cached', 'forged', 'stream'],
  ...['named', 'must-name', 'pass', 'other-pass', 'members', 'coded'],
  ...['signed', 'signed-failing', 'signed-jws', 'key-fails', 'key-hangs'],
  ...['mcp', 'a2a', 'a2a-upfront'],
  ...describedRoutes,
  ...experimentRoutes,
]

/** Opens our server as the environment says. */
export async function openServer(env: Readonly<Record<string, string | undefined>>) {
  const { X402_FACILITATOR_URL = '', X402_NETWORK = '', X402_PAY_TO = '', X402_AMOUNT = '' } = env
  const { X402_ORIGIN = '', X402_SIGNING_KEY = '', X402_SIGNING_JWK = '', X402_WORDS = '' } = env
  const scheme: SchemeServer = X402_NETWORK.startsWith('solana:') ? exactSvm : exactEvm
  const shop = {
    facilitator: createFacilitatorClient(X402_FACILITATOR_URL, { timeoutMs: 5_000 }),
    payTo: { [X402_NETWORK]: X402_PAY_TO },
    schemes: [scheme],
    store: createMemoryClaims({ singleProcess: true }),
  }
  const paid = paywall(shop)
  const extended = paywall({
    ...shop,
    origin: X402_ORIGIN,
    extensions: [
      paymentIdentifiers({ store: memoryIdentifiers() }),
      signIns({ store: memorySignIns() }),
      builderCodes(),
      signedOffers({ issuer: typedDataIssuer(privateKeyAccount(X402_SIGNING_KEY)) }),
    ],
  })
  const price = `$${(Number(X402_AMOUNT) / 1e6).toFixed(6)}`
  const hits: Record<string, number> = {}
  const count = (route: string) => {
    hits[route] = (hits[route] ?? 0) + 1
  }
  const app = new Hono()
  app.get('/conformance/hits', (c) => c.json({ hits }))
  app.get('/conformance/paid', paid(price), (c) => {
    count('paid')
    return c.json(secret, 200, { 'x-work': 'done', 'set-cookie': 'work=groat-conformance-secret' })
  })
  app.get('/conformance/failing', paid(price), (c) => c.json({ error: 'broken' }, 500))
  app.get('/conformance/throwing', paid(price), () => {
    throw new Error('broken')
  })
  app.get('/conformance/cached', paid(price), (c) =>
    c.json(secret, 200, { 'cache-control': 'public, s-maxage=60, max-age=60' }),
  )
  app.get('/conformance/forged', paid(price), (c) =>
    c.json(secret, 200, {
      'payment-response': Buffer.from('{"success":true,"transaction":"forged"}').toString('base64'),
    }),
  )
  app.get('/conformance/stream', paid(price), () => {
    const parts = [JSON.stringify(secret), '\n', 'end'].map((part) => new TextEncoder().encode(part))
    const body = new ReadableStream({
      pull(controller) {
        const part = parts.shift()
        if (part === undefined) controller.close()
        else controller.enqueue(part)
      },
    })
    return new Response(body)
  })
  const works = (route: string) => (c: Context) => {
    count(route)
    return c.json({ ...secret, work: hits[route] })
  }
  app.post('/conformance/named', extended({ price, extensions: { 'payment-identifier': true } }), works('named'))
  app.post(
    '/conformance/must-name',
    extended({ price, extensions: { 'payment-identifier': { required: true } } }),
    works('must-name'),
  )
  app.get('/conformance/pass', extended({ price, pass: '1h', extensions: { 'sign-in-with-x': true } }), works('pass'))
  app.get('/conformance/signed', extended({ price, extensions: { 'offer-receipt': true } }), works('signed'))
  app.get(
    '/conformance/other-pass',
    extended({ price, pass: '1h', scope: 'another', extensions: { 'sign-in-with-x': true } }),
    works('other-pass'),
  )
  const members = signedInOnly({
    store: memorySignIns(),
    origin: X402_ORIGIN,
    networks: [X402_NETWORK],
    scope: 'members',
  })(() => Response.json(secret))
  app.get('/conformance/members', (c) => members(c.req.raw))
  const kid = `did:web:${new URL(X402_ORIGIN).host}#key-1`
  const issuers: Readonly<Record<string, ArtifactIssuer>> = {
    'signed-jws': await jwsIssuer({ kid, alg: 'EdDSA', jwk: JSON.parse(X402_SIGNING_JWK) }),
    'key-fails': { sign: () => Promise.reject(new Error('broken')) },
    'key-hangs': { sign: () => new Promise(() => {}) },
  }
  for (const [name, issuer] of Object.entries(issuers)) {
    // A key is waited for as long as a part of the lease of a claim.
    const sold = paywall({ ...shop, origin: X402_ORIGIN, leaseSeconds: 6, extensions: [signedOffers({ issuer })] })
    app.get(`/conformance/${name}`, sold({ price, extensions: { 'offer-receipt': true } }), works(name))
    await sold.ready()
  }
  app.get(
    '/conformance/signed-failing',
    extended({ price, mode: 'upfront', extensions: { 'offer-receipt': true } }),
    (c) => c.json({ error: 'broken' }, 500),
  )
  const codes = { a: 'conformance', s: ['kit_one'] }
  app.get('/conformance/coded', extended({ price, extensions: { 'builder-code': codes } }), works('coded'))
  const mcp = await openMcp(shop, {
    endpoint: `${X402_ORIGIN}/conformance/mcp`,
    price,
    secret,
    count: () => {
      count('mcp')
      return hits.mcp ?? 0
    },
  })
  app.all('/conformance/mcp', (c) => mcp(c.req.raw))
  for (const [name, mode] of [
    ['a2a', 'strict'],
    ['a2a-upfront', 'upfront'],
  ] as const) {
    const agent = await openAgent(shop, {
      url: `${X402_ORIGIN}/conformance/${name}`,
      route: { price, mode },
      work: () => {
        count(name)
        return { ...secret, work: hits[name] }
      },
    })
    app.post(`/conformance/${name}`, (c) => agent(c.req.raw))
    app.get(`/conformance/${name}/.well-known/agent-card.json`, (c) => agent(c.req.raw))
  }
  await paid.ready()
  await extended.ready()
  await addDescribed(app, shop, { origin: X402_ORIGIN, price, works, words: X402_WORDS })
  const experiments = await addExperiments(app, shop, { origin: X402_ORIGIN, price, scheme, works, env })
  const { url, close } = await listenOn(app)
  return { url, close: () => close().then(experiments.close) }
}
