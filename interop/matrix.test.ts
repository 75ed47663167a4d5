import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { legacyFetch, legacyServer } from './peers/legacy.js'
import type { Listening } from './peers/listen.js'
import { officialAxios, officialFacilitator, officialFetch, officialHono, officialServer } from './peers/official.js'
import { ourExpress, ourFacilitator, ourHono, ourPayer } from './peers/ours.js'
import { useStage } from './test-kit.js'

const stage = useStage()
const PRICE = '$0.01'
const AMOUNT = 10_000n

type PayingFetch = (
  url: string,
) => Promise<{ readonly status: number; json(): Promise<unknown>; readonly receipt: string | null }>

/** Any client as a function from a URL to an answer, with the receipt header it could read. */
const fetched =
  (fetch: (url: string) => Promise<Response>, header: string): PayingFetch =>
  async (url) => {
    const response = await fetch(url)
    return { status: response.status, json: () => response.json(), receipt: response.headers.get(header) }
  }

const clients: Record<string, (key: Hex) => Promise<PayingFetch>> = {
  'our client': async (key) => fetched(ourPayer(key).fetch, 'PAYMENT-RESPONSE'),
  'our client, v1 allowed': async (key) => fetched(ourPayer(key, [2, 1]).fetch, 'X-PAYMENT-RESPONSE'),
  'official fetch': async (key) => fetched(officialFetch(key), 'PAYMENT-RESPONSE'),
  'official axios': async (key) => officialAxios(key),
  'legacy fetch': async (key) => fetched(await legacyFetch(key), 'X-PAYMENT-RESPONSE'),
}
const servers: Record<string, (facilitatorUrl: string, payTo: Hex, price: string) => Promise<Listening>> = {
  'our Hono': ourHono,
  'our Express': ourExpress,
  'official Express': officialServer,
  'official Hono': officialHono,
  'legacy Express': legacyServer,
}
const facilitators: Record<string, (chain: { rpcUrl: string }, key: Hex) => Promise<Listening>> = {
  'our facilitator': ourFacilitator,
  'official facilitator': officialFacilitator,
}

/** Servers of version 2 alone cannot be paid by clients of version 1 alone, and the other way round. */
const pairings: readonly (readonly [client: string, server: string])[] = [
  ['our client', 'our Hono'],
  ['our client', 'our Express'],
  ['our client', 'official Express'],
  ['our client', 'official Hono'],
  ['our client, v1 allowed', 'legacy Express'],
  ['official fetch', 'our Hono'],
  ['official fetch', 'our Express'],
  ['official fetch', 'official Express'],
  ['official axios', 'our Hono'],
  ['official axios', 'our Express'],
  ['legacy fetch', 'our Hono'],
  ['legacy fetch', 'our Express'],
  ['legacy fetch', 'legacy Express'],
]

const running = new Map<string, Promise<Listening>>()
function facilitator(name: string): Promise<Listening> {
  const role = name === 'our facilitator' ? 'facilitator' : 'facilitator2'
  const found = running.get(name) ?? stage.keep(facilitators[name]!(stage.chain, stage.chain.account(role).privateKey))
  running.set(name, found)
  return found
}

for (const facilitatorName of Object.keys(facilitators)) {
  test.each(pairings)(`%s pays %s through ${facilitatorName}`, async (clientName, serverName) => {
    const payTo = stage.chain.account('seller').address
    const { url } = await stage.keep(servers[serverName]!((await facilitator(facilitatorName)).url, payTo, PRICE))
    const { address, privateKey } = stage.chain.account('payer')
    const pay = await clients[clientName]!(privateKey)

    const moved = await stage.moved(address, async () => {
      const answer = await pay(`${url}/paid`)
      expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
      expect(JSON.parse(Buffer.from(answer.receipt ?? '', 'base64').toString())).toMatchObject({
        success: true,
        transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      })
    })
    expect(moved).toEqual({ paid: AMOUNT, earned: AMOUNT, transfers: 1 })
  })
}

test('sixteen official clients at once all settle through our server and facilitator', async () => {
  const payTo = stage.chain.account('seller').address
  const server = await stage.keep(ourExpress((await facilitator('our facilitator')).url, payTo, PRICE))
  const { address, privateKey } = stage.chain.account('payer2')
  const pay = officialFetch(privateKey)
  const moved = await stage.moved(address, async () => {
    const answers = await Promise.all(Array.from({ length: 16 }, () => pay(`${server.url}/paid`)))
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 16 }, () => 200))
  })
  expect(moved).toEqual({ paid: 16n * AMOUNT, earned: 16n * AMOUNT, transfers: 16 })
  expect(server.served()).toBe(16)
})

test('an official client without money gets a 402 and nothing of the answer', async () => {
  const payTo = stage.chain.account('seller').address
  const server = await stage.keep(ourHono((await facilitator('our facilitator')).url, payTo, PRICE))
  const poor: Hex = `0x${'77'.repeat(32)}`
  const moved = await stage.moved(privateKeyToAccount(poor).address, async () => {
    const answer = await officialFetch(poor)(`${server.url}/paid`)
    expect([answer.status, (await answer.text()).includes('served')]).toEqual([402, false])
  })
  expect([moved, server.served()]).toEqual([{ paid: 0n, earned: 0n, transfers: 0 }, 0])
})

test('a payment of an official client that is presented again is not charged again, and the handler does not run again', async () => {
  const payTo = stage.chain.account('seller').address
  const server = await stage.keep(ourExpress((await facilitator('our facilitator')).url, payTo, PRICE))
  const { address, privateKey } = stage.chain.account('payer3')
  let header = ''
  const spying: typeof fetch = async (input, init) => {
    header = new Request(input, init).headers.get('PAYMENT-SIGNATURE') ?? header
    return fetch(input, init)
  }
  const moved = await stage.moved(address, async () => {
    expect((await officialFetch(privateKey, spying)(`${server.url}/paid`)).status).toBe(200)
    const again = await fetch(`${server.url}/paid`, { headers: { 'PAYMENT-SIGNATURE': header } })
    expect([again.status, await again.json()]).toEqual([200, { served: true }])
  })
  expect([moved, server.served()]).toEqual([{ paid: AMOUNT, earned: AMOUNT, transfers: 1 }, 1])
})

test('a payment that somebody changed on the way is refused, and nothing moves', async () => {
  const payTo = stage.chain.account('seller').address
  const server = await stage.keep(ourHono((await facilitator('our facilitator')).url, payTo, PRICE))
  const { address, privateKey } = stage.chain.account('payer4')
  const tampering: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const header = request.headers.get('PAYMENT-SIGNATURE')
    if (header === null) return fetch(request)
    const payment = JSON.parse(Buffer.from(header, 'base64').toString())
    payment.payload.authorization.validBefore = String(Number(payment.payload.authorization.validBefore) - 1)
    return fetch(request, { headers: { 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64') } })
  }
  const moved = await stage.moved(address, async () => {
    const answer = await officialFetch(privateKey, tampering)(`${server.url}/paid`)
    expect([answer.status, (await answer.json()).code]).toEqual([402, 'invalid_exact_evm_signature'])
  })
  expect([moved, server.served()]).toEqual([{ paid: 0n, earned: 0n, transfers: 0 }, 0])
})
