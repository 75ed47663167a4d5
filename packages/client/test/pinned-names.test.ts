import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { payWithUndici, pinnedNames } from '../src/adapters/undici.js'
import { createBuyer } from '../src/buyer/index.js'
import { honest, startSeller } from './support/seller.js'
import { spyScheme } from './support/spy-scheme.js'

const OUTSIDE = { address: '93.184.215.14', family: 4 }
const INSIDE = { address: '10.0.0.7', family: 4 }
const HERE = { address: '127.0.0.1', family: 4 }

/** Names whose answers are said one after the other, and what sockets are given. */
function scripted(answers: readonly (readonly (typeof OUTSIDE)[])[]) {
  let now = 0
  let asked = 0
  const names = pinnedNames({
    clock: () => now,
    ask: async () => answers[Math.min(asked++, answers.length - 1)] ?? [],
  })
  const connect = () =>
    new Promise((resolve) =>
      names.lookup('shop.test', { all: true }, (error, addresses) => resolve(error ? String(error.name) : addresses)),
    )
  return { names, connect, later: () => (now += 61_000), asked: () => asked }
}

test('CL-4 a socket is given the addresses that were looked at, and nobody is asked in between', async () => {
  const { names, connect, asked } = scripted([[OUTSIDE], [INSIDE]])
  expect(await names.resolve('shop.test')).toEqual([OUTSIDE.address])
  expect([await connect(), await connect(), asked()]).toEqual([[OUTSIDE], [OUTSIDE], 1])
})

test('CL-4 a name that has led outside is never connected to inside', async () => {
  const { names, connect, later } = scripted([[OUTSIDE], [INSIDE]])
  expect(await connect()).toEqual([OUTSIDE])
  later()
  expect(await connect()).toBe('X402Error')
  await expect(names.resolve('shop.test')).rejects.toMatchObject({ code: 'private_address' })
})

test('CL-4 a name that has led inside stays refused: a connection to there may be open', async () => {
  const { names, connect, later } = scripted([[INSIDE], [OUTSIDE]])
  await connect()
  later()
  expect(await names.resolve('shop.test')).toEqual([INSIDE.address, OUTSIDE.address])
  expect(await connect()).toEqual([OUTSIDE])
})

test('G23 sockets of fetch and of a dispatcher go where the name was looked at, and nowhere when it begins to lead inside', async () => {
  let requests = 0
  const server = createServer((_, answer) => {
    requests++
    answer.end('here')
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const url = `http://shop.test:${port}/`
  const ways: readonly ((over: Agent) => Promise<string>)[] = [
    async (dispatcher) => (await fetch(url, { dispatcher } as RequestInit)).text(),
    async (dispatcher) => (await request(url, { dispatcher })).body.text(),
  ]
  for (const way of ways) {
    const led = scripted([[HERE]])
    const open = new Agent({ connect: { lookup: led.names.lookup } })
    onTestFinished(() => open.close())
    expect([await way(open), led.asked(), await led.names.resolve('shop.test')]).toEqual(['here', 1, [HERE.address]])

    const rebound = scripted([[OUTSIDE], [HERE]])
    const shut = new Agent({ connect: { lookup: rebound.names.lookup } })
    onTestFinished(() => shut.close())
    expect(await rebound.names.resolve('shop.test')).toEqual([OUTSIDE.address])
    rebound.later()
    await expect(way(shut)).rejects.toThrow()
  }
  expect(requests).toBe(2)
})

describe('G23 CL-4 a dispatcher that pays', () => {
  async function sellerBehindAName(answers: Parameters<typeof scripted>[0], allowed = false) {
    const [seller, scheme, { names, later }] = [await startSeller(honest()), spyScheme(), scripted(answers)]
    const paying = payWithUndici(
      (fetch, { resolve }) =>
        // Plain http to a name that is not this machine's is refused before its addresses are looked at.
        createBuyer({ schemes: [scheme], fetch, resolve, policy: { privateAddresses: allowed } }),
      { names },
    )
    const at = (name: string) => seller.url.replace('127.0.0.1', name)
    const agentWith = (connect: object) => {
      const agent = new Agent({ connect })
      onTestFinished(() => agent.close())
      return agent.compose(paying.interceptor)
    }
    return { seller, scheme, paying, at, agentWith, later }
  }

  test('pays nobody whose name its sockets look up by themselves', async () => {
    const { seller, scheme, at, agentWith } = await sellerBehindAName([[HERE]], true)
    // The one who connects here has names of its own.
    const lookup = (_: string, __: object, tell: (error: null, found: object[]) => void) => tell(null, [HERE])
    const asked = request(at('shop.test'), { dispatcher: agentWith({ lookup }) })
    await expect(asked).rejects.toMatchObject({ code: 'invalid_config' })
    expect([seller.seen.length, scheme.signed]).toEqual([1, []])
  })

  test('asks the policy of the addresses that its sockets are given', async () => {
    const { seller, scheme, paying, at, agentWith } = await sellerBehindAName([[HERE]])
    const answer = await request(at('shop.test'), { dispatcher: agentWith(paying.connect) })
    const outcome = paying.outcome(answer)
    expect(outcome).toMatchObject({ status: 'unpaid', code: 'insecure_origin' })
    expect([answer.statusCode, seller.seen.length, scheme.signed]).toEqual([402, 1, []])
    // This machine by its own name and by its address has no other.
    for (const host of ['localhost', '127.0.0.1']) {
      const own = await request(at(host), { dispatcher: agentWith(host === 'localhost' ? {} : paying.connect) })
      expect([host, own.statusCode]).toEqual([host, 200])
    }
  })

  test('may be told that somebody else looks names up', async () => {
    const seller = await startSeller(honest())
    const found: unknown[] = []
    const paying = payWithUndici(
      (fetch, { resolve }) => {
        found.push(resolve('localhost'))
        return createBuyer({ schemes: [spyScheme()], fetch })
      },
      { names: false },
    )
    expect(paying.connect).toEqual({})
    expect(await found[0]).toContain('127.0.0.1')
    const agent = new Agent()
    onTestFinished(() => agent.close())
    const { statusCode } = await request(seller.url, { dispatcher: agent.compose(paying.interceptor) })
    expect(statusCode).toBe(200)
  })
})
