import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBuyer, memoryPurse, type Purse } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import { payWithUndici } from '@groat/client/undici'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as exactEvmServer } from '@groat/evm/exact/server'
import { createPricing } from '@groat/server/pricing'
import { openStore } from '@groat/store'
import { Agent, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { json } from './facilitator-stub.js'
import { plainNode, type Shop } from './frameworks.js'
import { openMarket } from './shop.js'

const account = privateKeyAccount(`0x${'47'.repeat(32)}`)
const schemes = [exactEvm({ account })]

/** A shop of ours, whose gate reads real signatures. */
async function open(routes: Shop['routes']) {
  const market = await openMarket(plainNode, routes, { schemes: [exactEvmServer], pricing: createPricing() })
  onTestFinished(() => market.close())
  market.stub.does.verify = [json(200, { isValid: true, payer: account.address })]
  // Each payment moves its money once, by its signature.
  market.stub.does.settle = [
    (call, response, { ledger }) => {
      const payment = JSON.stringify(call.body.paymentPayload)
      const transaction = ledger.get(payment) ?? `0x${String(ledger.size + 1).padStart(64, '0')}`
      ledger.set(payment, transaction)
      const receipt = { success: true, payer: account.address, transaction, network: 'eip155:84532' }
      json(200, receipt)(call, response, market.stub)
    },
  ]
  return market
}

const purses: readonly (readonly [string, () => Promise<Purse>])[] = [
  ['memory', async () => memoryPurse()],
  [
    'SQL',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'groat-buyer-'))
      const store = await openStore(join(folder, 'purse.db'))
      onTestFinished(async () => {
        await store.close()
        await rm(folder, { recursive: true, force: true })
      })
      return sqlIntents(store)
    },
  ],
]

describe.each(purses)('a buyer with a purse in %s, at our own gate', (_, openPurse) => {
  test('SRV-029 uses the bundle that it owns, by its bearer, from one program to the next, before it pays again', async () => {
    const { served, stub, events } = await open({
      '/search': { input: { price: '$0.01', bundle: 3 }, handler: () => ({ body: 'found' }) },
    })
    const purse = await openPurse()
    const outcomes: (string | undefined)[] = []
    for (let call = 0; call < 7; call++) {
      const buyer = createBuyer({ schemes, purse })
      const answer = await buyer.fetch(`${served.url}/search?page=${call}`)
      expect([answer.status, await answer.text()]).toEqual([200, 'found'])
      outcomes.push(buyer.outcome(answer)?.status)
      await buyer.idle()
    }
    // Two of three are had for nothing; the budget has been charged for the payments alone.
    expect(outcomes).toEqual(['settled', undefined, undefined, 'settled', undefined, undefined, 'settled'])
    expect([stub.calls.settle.length, (await purse.records()).length]).toEqual([3, 3])
    expect(events.filter(({ type }) => type === 'entitlement_used').length).toBe(4)
  })

  test('of 12 calls at once each is answered once, and nothing that was bought is lost', async () => {
    const { served, stub } = await open({
      '/search': { input: { price: '$0.01', bundle: 4 }, handler: () => ({ body: 'found' }) },
    })
    const buyer = createBuyer({ schemes, purse: await openPurse() })
    const ask = async (call: number) => {
      const answer = await buyer.fetch(`${served.url}/search?page=${call}`)
      await answer.text()
      return answer.status
    }
    await ask(0)
    expect(await Promise.all(Array.from({ length: 12 }, (_, call) => ask(call + 1)))).toEqual(Array(12).fill(200))
    // Three uses were there: the other nine had to pay.
    expect(stub.calls.settle.length).toBe(10)
  })

  test('a pass is used for its time, and a bundle elsewhere opens nothing', async () => {
    const { served, stub, later } = await open({
      '/feed': { input: { price: '$0.05', pass: '1h' }, handler: () => ({ body: 'news' }) },
      '/other': { input: { price: '$0.01', bundle: 9 }, handler: () => ({ body: 'other' }) },
    })
    let shift = 0
    const buyer = createBuyer({ schemes, purse: await openPurse(), clock: () => Date.now() + shift })
    const ask = async (path: string) => (await (await buyer.fetch(served.url + path)).text()) as string
    for (let call = 0; call < 4; call++) expect(await ask('/feed')).toBe('news')
    expect(await ask('/other')).toBe('other')
    expect(stub.calls.settle.length).toBe(2)
    later(3_601_000)
    shift = 3_601_000
    expect(await ask('/feed')).toBe('news')
    expect(stub.calls.settle.length).toBe(3)
  })

  test('what was prepaid is used up before it is paid again', async () => {
    const { served, stub } = await open({
      '/chat': {
        input: { perGigabyte: '$1000', upTo: '$0.02', prepaid: '$0.05' },
        handler: () => ({ body: 'x'.repeat(10_000) }),
      },
    })
    const buyer = createBuyer({ schemes, purse: await openPurse() })
    const outcomes: (string | undefined)[] = []
    for (let call = 0; call < 8; call++) {
      const answer = await buyer.fetch(`${served.url}/chat`)
      expect([answer.status, (await answer.text()).length]).toEqual([200, 10_000])
      outcomes.push(buyer.outcome(answer)?.status)
      await buyer.idle()
    }
    // The answer says what is left while its own use holds the ceiling: that word of nothing left is not the last one.
    const [first, ...used] = ['settled', undefined, undefined, undefined, undefined]
    expect(outcomes).toEqual([first, ...used, 'settled', undefined, undefined])
    expect(stub.calls.settle.length).toBe(2)
  })
})

test('an undici dispatcher pays our own gate', async () => {
  const { served, stub } = await open({
    '/echo': { input: '$0.001', handler: ({ payment }) => ({ body: `for ${payment?.payer}` }) },
  })
  const paying = payWithUndici((fetch) => createBuyer({ schemes, fetch }))
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  const dispatcher = agent.compose(paying.interceptor)
  const answer = await request(`${served.url}/echo`, { dispatcher, method: 'POST', body: 'hello' })
  expect([answer.statusCode, await answer.body.text()]).toEqual([200, `for ${account.address}`])
  expect(paying.outcome(answer)).toMatchObject({ status: 'settled', payment: { payer: account.address } })
  expect(stub.calls.settle.length).toBe(1)
})
