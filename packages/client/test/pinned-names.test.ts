import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { pinnedNames } from '../src/adapters/undici.js'

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
