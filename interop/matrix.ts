import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Listening } from './peers/listen.js'
import type { Rail, RailChain, Role } from './rails/rail.js'

const PRICE = '$0.01'
const AMOUNT = 10_000n

/** Everybody pays everybody, on one chain: what leaves the payer reaches the seller, once for each answer. */
export function testRail(rail: Rail): void {
  describe(rail.name, () => {
    const started: Listening[] = []
    const running = new Map<string, Promise<Listening>>()
    let chain: RailChain
    beforeAll(async () => {
      chain = await rail.start()
    })
    afterAll(async () => {
      for (const server of started.reverse()) await server.close()
      await chain?.stop()
    })

    /** Closes it when the file is done. */
    async function keep<T extends Listening>(server: Promise<T>): Promise<T> {
      started.push(await server)
      return server
    }

    function facilitator(name: string): Promise<Listening> {
      const role = name === 'our facilitator' ? 'facilitator' : 'facilitator2'
      const found = running.get(name) ?? keep(named(rail.facilitators, name)(chain, chain.account(role).key))
      running.set(name, found)
      return found
    }

    const ours = async (server: 'express' | 'hono') =>
      keep(rail.ours[server]((await facilitator('our facilitator')).url, chain.account('seller').address, PRICE))

    /** What `act` moved, in atomic units, and how many transfers of the payer the chain has. */
    async function moved(payer: string, act: () => Promise<unknown>) {
      const state = async () => {
        const seller = chain.account('seller').address
        const [held, earned, transfers] = await Promise.all([
          chain.balance(payer),
          chain.balance(seller),
          chain.transfers(payer),
        ])
        return { held, earned, transfers }
      }
      const before = await state()
      await act()
      const after = await state()
      return {
        paid: before.held - after.held,
        earned: after.earned - before.earned,
        transfers: after.transfers - before.transfers,
      }
    }

    const account = (role: Role) => chain.account(role)

    for (const facilitatorName of Object.keys(rail.facilitators)) {
      test.each(rail.pairings)(`%s pays %s through ${facilitatorName}`, async (clientName, serverName) => {
        const start = named(rail.servers, serverName)
        const { url } = await keep(start((await facilitator(facilitatorName)).url, account('seller').address, PRICE))
        const { address, key } = account('payer')
        const pay = await named(rail.clients, clientName)(key, chain)
        await chain.nextBlock?.()
        const change = await moved(address, async () => {
          const answer = await pay(`${url}/paid`)
          expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
          expect(JSON.parse(Buffer.from(answer.receipt ?? '', 'base64').toString())).toMatchObject({
            success: true,
            transaction: expect.stringMatching(rail.transaction),
          })
        })
        expect(change).toEqual({ paid: AMOUNT, earned: AMOUNT, transfers: 1 })
      })
    }

    test('sixteen official clients at once all settle through our server and facilitator', async () => {
      const server = await ours('express')
      const { address, key } = account('payer2')
      const pay = await rail.officialFetch(key, chain)
      const change = await moved(address, async () => {
        const answers = await Promise.all(Array.from({ length: 16 }, () => pay(`${server.url}/paid`)))
        expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 16 }, () => 200))
      })
      expect(change).toEqual({ paid: 16n * AMOUNT, earned: 16n * AMOUNT, transfers: 16 })
      expect(server.served()).toBe(16)
    })

    test('an official client without money gets a 402 and nothing of the answer', async () => {
      const server = await ours('hono')
      const before = await chain.balance(account('seller').address)
      const answer = await (await rail.officialFetch(rail.poorKey, chain))(`${server.url}/paid`)
      expect([answer.status, (await answer.text()).includes('served')]).toEqual([402, false])
      expect([await chain.balance(account('seller').address), server.served()]).toEqual([before, 0])
    })

    test('a payment of an official client that is presented again is not charged again, and the handler does not run again', async () => {
      const server = await ours('express')
      const { address, key } = account('payer3')
      let header = ''
      const spying: typeof fetch = async (input, init) => {
        header = new Request(input, init).headers.get('PAYMENT-SIGNATURE') ?? header
        return fetch(input, init)
      }
      const change = await moved(address, async () => {
        expect((await (await rail.officialFetch(key, chain, spying))(`${server.url}/paid`)).status).toBe(200)
        const again = await fetch(`${server.url}/paid`, { headers: { 'PAYMENT-SIGNATURE': header } })
        expect([again.status, await again.json()]).toEqual([200, { served: true }])
      })
      expect([change, server.served()]).toEqual([{ paid: AMOUNT, earned: AMOUNT, transfers: 1 }, 1])
    })

    test('a payment that somebody changed on the way is refused, and nothing moves', async () => {
      const server = await ours('hono')
      const { address, key } = account('payer4')
      const tampering: typeof fetch = async (input, init) => {
        const request = new Request(input, init)
        const header = request.headers.get('PAYMENT-SIGNATURE')
        if (header === null) return fetch(request)
        const payment = JSON.parse(Buffer.from(header, 'base64').toString())
        rail.tamper(payment.payload)
        const changed = Buffer.from(JSON.stringify(payment)).toString('base64')
        return fetch(request, { headers: { 'PAYMENT-SIGNATURE': changed } })
      }
      const change = await moved(address, async () => {
        const answer = await (await rail.officialFetch(key, chain, tampering))(`${server.url}/paid`)
        expect([answer.status, (await answer.json()).code]).toEqual([402, rail.tampered])
      })
      expect([change, server.served()]).toEqual([{ paid: 0n, earned: 0n, transfers: 0 }, 0])
    })
  })
}

function named<T>(peers: Readonly<Record<string, T>>, name: string): T {
  const peer = peers[name]
  if (peer === undefined) throw new TypeError(`nobody is called ${name}`)
  return peer
}
