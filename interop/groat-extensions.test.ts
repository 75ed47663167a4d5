import { createPayer } from '@groat/client'
import { assetByTicker, decodePayment, encodePayment } from '@groat/core'
import { exactEvm as pays, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { createEvmTransfers } from '@groat/evm/transfers'
import { payerFields } from '@groat/extensions/compliance/client'
import { complianceFields } from '@groat/extensions/compliance/server'
import { refundTerms, requestRefund } from '@groat/extensions/refund/client'
import { refundRequests } from '@groat/extensions/refund/server'
import { boundPayments } from '@groat/extensions/request-binding/client'
import { boundRequests } from '@groat/extensions/request-binding/server'
import { createFacilitator, type FacilitatorService, type ScreeningSubject, withScreening } from '@groat/facilitator'
import { createMemoryClaims, type PaywallOptions } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { createLedger } from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { openMemoryStore, type Store } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NETWORK, settlingChain } from './extensions-kit.js'
import { listen } from './peers/listen.js'
import { useStage } from './test-kit.js'

// The three experiments together, on a real chain, over real HTTP: who pays, what for, and how the money comes back.

const stage = useStage()
const usdc = assetByTicker(NETWORK, 'USDC')
const screened: ScreeningSubject[] = []
let store: Store
let facilitator: FacilitatorService
beforeAll(async () => {
  const settling = await settlingChain(stage)
  store = await openMemoryStore()
  const provider = {
    name: 'countries',
    screen: async (subject: ScreeningSubject) => {
      screened.push(subject)
      if (subject.fields?.country === 'ZZ') throw new Error('nobody knows that country')
      return { allowed: subject.fields?.country !== 'XX', version: '1' }
    },
  }
  facilitator = withScreening({ provider, store })(
    createFacilitator({ schemes: [settles({ chains: [settling] })], store }),
  )
  await facilitator.start()
})
afterAll(async () => {
  await facilitator?.stop()
  await store?.close()
})

const account = () => privateKeyAccount(stage.chain.account('payer').privateKey)

async function shopWith(options: Pick<PaywallOptions, 'extensions'> & Partial<PaywallOptions>, extensions: object) {
  const app = new Hono()
  const shop = await stage.keep(listen(getRequestListener((request) => app.fetch(request))))
  const paid = paywall({
    facilitator,
    payTo: { [NETWORK]: stage.chain.account('seller').address },
    schemes: [sells],
    store: createMemoryClaims({ singleProcess: true }),
    origin: shop.url,
    ...options,
  })
  app.post('/orders/:sku', paid({ price: '$0.001', extensions: extensions as never }), async (c) =>
    c.json({ ordered: c.req.param('sku'), body: await c.req.text() }),
  )
  await paid.ready()
  return { app, url: shop.url }
}

test('EXT-BIND-004 a payment that somebody has seen is good for nothing else, and then for what it was made for', async () => {
  const shop = await shopWith({ extensions: [boundRequests()] }, { 'groat-request-binding': true })
  let stolen: Headers | undefined
  const payer = createPayer({
    schemes: [pays({ account: account() })],
    extensions: [boundPayments()],
    fetch: async (input, init) => {
      const headers = new Headers(init?.headers)
      const decoded = decodePayment((name) => headers.get(name))
      if (stolen === undefined && decoded?.ok) {
        const { resource: _, ...bare } = decoded.value
        const { name, value } = encodePayment(bare)
        stolen = new Headers({ [name]: value })
        // The thief is faster than the payer.
        for (const [path, body] of [
          ['/orders/gold', 'one'],
          ['/orders/tin', 'a hundred'],
        ]) {
          const answer = await fetch(shop.url + path, { method: 'POST', body: body ?? '', headers: stolen })
          expect([answer.status, (await answer.json()).code]).toEqual([402, 'request_binding_mismatch'])
        }
      }
      return fetch(input, init)
    },
  })
  const moved = await stage.moved(account().address, async () => {
    const answer = await payer.fetch(`${shop.url}/orders/tin`, { method: 'POST', body: 'one' })
    expect([answer.status, await answer.json()]).toEqual([200, { ordered: 'tin', body: 'one' }])
  })
  expect(moved).toMatchObject({ paid: 1000n, transfers: 1 })
  expect(stolen).toBeDefined()
})

test('EXT-COMPLY-005 EXT-COMPLY-006 EXT-COMPLY-008 the facilitator’s screening sees the fields and fails closed; the receipt holds the record', async () => {
  const asks = { 'groat-compliance': { asks: ['country'] } }
  const seller = { name: 'Shop Ltd', country: 'IE' }
  const shop = await shopWith({ extensions: [complianceFields({ seller })] }, asks)
  const buy = async (country?: string) => {
    const extensions = country === undefined ? [] : [payerFields({ country })]
    const payer = createPayer({ schemes: [pays({ account: account() })], extensions })
    const answer = await payer.fetch(`${shop.url}/orders/tin`, { method: 'POST', body: 'x' })
    return { answer, outcome: payer.outcome(answer) }
  }
  const refusals = await stage.moved(account().address, async () => {
    expect(await (await buy('XX')).answer.json()).toMatchObject({ code: 'payment_screened' })
    expect((await buy('ZZ')).answer.status).toBeGreaterThanOrEqual(402)
    expect(await (await buy()).answer.json()).toMatchObject({ code: 'compliance_required' })
  })
  expect(refusals).toMatchObject({ paid: 0n, transfers: 0 })
  const sale = await stage.moved(account().address, async () => {
    const { answer, outcome } = await buy('PL')
    expect([answer.status, outcome]).toMatchObject([200, { status: 'settled' }])
    expect(outcome && 'flaws' in outcome ? outcome.flaws : undefined).toBeUndefined()
    const receipt = outcome && 'receipt' in outcome ? outcome.receipt : undefined
    expect(receipt?.extensions?.['groat-compliance']).toMatchObject({
      info: { record: { seller, buyer: { country: 'PL' }, amount: '1000', transaction: receipt?.transaction } },
    })
  })
  expect(sale).toMatchObject({ paid: 1000n, transfers: 1 })
  expect(new Set(screened.flatMap(({ fields }) => fields?.country ?? []))).toEqual(new Set(['XX', 'ZZ', 'PL']))
})

test('EXT-REFUND-009 EXT-REFUND-012 a payer asks for its money and gets it, once, whoever asks how often', async () => {
  if (usdc === undefined) throw new Error('no USDC')
  const books = await openMemoryStore()
  const ledger = await createLedger(books)
  const refunder = privateKeyAccount(stage.chain.account('payer2').privateKey)
  const refunds = await createRefunds({
    ledger,
    facilitator,
    pays: [pays({ account: refunder })],
    sells: [sells],
    readers: [createEvmTransfers({ network: NETWORK, rpc: stage.chain.rpcUrl })],
    approveAbove: '$1',
  })
  let origin = ''
  const asked = () => refundRequests({ refunds, origin, windowSeconds: 3600 })
  // The gate needs the extension before the origin is known: its terms are made when the shop has its port.
  const app = new Hono()
  const server = await stage.keep(listen(getRequestListener((request) => app.fetch(request))))
  origin = server.url
  const desk = asked()
  const paid = paywall({
    facilitator,
    payTo: { [NETWORK]: stage.chain.account('seller').address },
    schemes: [sells],
    store: await sqlClaims(books, { ledger, refunds }),
    origin,
    extensions: [desk.extension],
  })
  app.get('/report', paid({ price: '$0.002', mode: 'upfront', extensions: { 'groat-refund': true } }), (c) =>
    c.text('?'),
  )
  app.all('/.well-known/*', async (c) => (await desk.answer(c.req.raw)) ?? c.notFound())
  await paid.ready()

  const payer = createPayer({ schemes: [pays({ account: account() })] })
  const answer = await payer.fetch(`${origin}/report`)
  expect(answer.status).toBe(200)
  const outcome = payer.outcome(answer)
  const receipt = outcome && 'receipt' in outcome ? outcome.receipt : undefined
  const terms = refundTerms(receipt?.extensions)
  if (receipt === undefined || terms === undefined) throw new Error('no terms in the receipt')
  const wish = {
    terms,
    resource: `${origin}/report`,
    paid: {
      ...{ network: receipt.network, transaction: receipt.transaction, payer: account().address, amount: 2000n },
      ...{ payTo: stage.chain.account('seller').address, asset: usdc.address },
    },
    account: account(),
    reason: 'service_defective',
    idempotencyKey: 'refund_of_the_report',
  } as const
  const work = refunds.start(20)
  const before = await stage.chain.balance(account().address)
  try {
    expect(await requestRefund(wish)).toEqual({ status: 'pending', amount: 2000n })
    await expect
      .poll(() => requestRefund(wish), { timeout: 30_000, interval: 100 })
      .toMatchObject({ status: 'executed', amount: 2000n, transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/) })
    const again = await Promise.all(
      Array.from({ length: 5 }, () => requestRefund({ ...wish, idempotencyKey: `refund_${crypto.randomUUID()}` })),
    )
    expect(again).toEqual(Array(5).fill({ status: 'denied', code: 'refund_exists' }))
    const thief = { ...wish, account: refunder, paid: { ...wish.paid, payer: refunder.address } }
    expect(await requestRefund(thief)).toEqual({ status: 'denied', code: 'refund_not_found' })
    expect((await stage.chain.balance(account().address)) - before).toBe(2000n)
  } finally {
    await work.stop()
    await books.close()
  }
})
