import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { useChain } from '../../test/kit.js'
import { type RpcFault, type RpcProxy, startRpcProxy } from '../index.js'

const on = useChain()
let proxy: RpcProxy

beforeEach(async () => {
  proxy = await startRpcProxy({ target: on.chain.rpcUrl })
})
afterEach(() => proxy.stop())

async function post(body: unknown, signal?: AbortSignal): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/json' }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(proxy.url, { method: 'POST', headers, body: text, ...(signal && { signal }) })
  const answer = await response.text()
  return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) }
}

const ask = (method: string, params: unknown = [], id: number | string = 1) => ({ jsonrpc: '2.0', id, method, params })
const answer = (result: unknown, id: number | string = 1) => ({ status: 200, body: { jsonrpc: '2.0', id, result } })

/** Something a node does, so that one sees whether it did it. */
const mine = ask('anvil_mine', ['0x1'])
const height = () => on.chain.client.getBlockNumber()
async function minedBy(work: () => Promise<unknown>): Promise<bigint> {
  const before = await height()
  await work()
  return (await height()) - before
}

test('passes calls and batches, and logs them', async () => {
  expect(await post(ask('eth_chainId'))).toEqual(answer('0x14a34'))
  expect(await post([ask('eth_chainId', [], 'a'), ask('net_version', [], 7)])).toEqual({
    status: 200,
    body: [
      { jsonrpc: '2.0', id: 'a', result: '0x14a34' },
      { jsonrpc: '2.0', id: 7, result: '84532' },
    ],
  })
  expect(proxy.counts()).toEqual({ eth_chainId: 2, net_version: 1 })
  expect([proxy.count(), proxy.count('eth_chainId'), proxy.count('eth_call')]).toEqual([3, 2, 0])
  expect(proxy.calls[0]).toEqual({ method: 'eth_chainId', params: [], action: 'pass' })
})

test('passes what is not JSON, for the node to refuse', async () => {
  expect(await post('{')).toMatchObject({ body: { error: { code: -32600 } } })
})

test('delay forwards later', async () => {
  proxy.use({ fault: { action: 'delay', ms: 150 } })
  const started = performance.now()
  expect(await minedBy(() => post(mine))).toBe(1n)
  expect(performance.now() - started).toBeGreaterThanOrEqual(149)
})

test.each([
  [false, 0n],
  [true, 1n],
])('drop closes the connection; forwarded: %s', async (forward, mined) => {
  proxy.use({ fault: { action: 'drop', forward } })
  expect(await minedBy(() => expect(post(mine)).rejects.toThrow('fetch failed'))).toBe(mined)
})

test.each([
  [false, 0n],
  [true, 1n],
])('hang never answers; forwarded: %s', async (forward, mined) => {
  proxy.use({ method: mine.method, fault: { action: 'hang', forward } })
  const before = await height()
  const client = new AbortController()
  const asked = post(mine, client.signal)
  while (proxy.count() === 0 || (await height()) < before + mined) await sleep(5)
  await post(ask('eth_chainId'))
  client.abort()
  await expect(asked).rejects.toThrow('aborted')
  expect((await height()) - before).toBe(mined)
})

test('stop ends connections that hang', async () => {
  proxy.use({ fault: { action: 'hang' } })
  const asked = post(mine).catch((error: unknown) => error)
  while (proxy.count() === 0) await sleep(5)
  await proxy.stop()
  expect(await asked).toBeInstanceOf(TypeError)
  await expect(post(mine)).rejects.toThrow('fetch failed')
})

const answering: ReadonlyArray<[RpcFault, unknown]> = [
  [
    { action: 'status', status: 503 },
    { status: 503, body: undefined },
  ],
  [
    { action: 'error', code: -32000, message: 'nonce too low', data: '0x' },
    { status: 200, body: { jsonrpc: '2.0', id: 1, error: { code: -32000, message: 'nonce too low', data: '0x' } } },
  ],
  [{ action: 'result', result: null }, answer(null)],
]
for (const [fault, expected] of answering) {
  test(`${fault.action} answers itself, with or without forwarding`, async () => {
    const heal = proxy.use({ fault })
    expect(await minedBy(async () => expect(await post(mine)).toEqual(expected))).toBe(0n)
    heal()
    proxy.use({ fault: { ...fault, forward: true } as RpcFault })
    expect(await minedBy(async () => expect(await post(mine)).toEqual(expected))).toBe(1n)
  })
}

test('rewrite changes what the node said', async () => {
  proxy.use({
    method: 'eth_getBlockByNumber',
    fault: {
      action: 'rewrite',
      rewrite: (block, call) => ({ ...(block as object), asked: call.params, number: '0x99' }),
    },
  })
  expect(await post(ask('eth_getBlockByNumber', ['0x0', false]))).toMatchObject({
    body: { result: { number: '0x99', asked: ['0x0', false], gasUsed: '0x0' } },
  })
})

test('of a batch only the calls that a rule names are answered differently', async () => {
  proxy.use({ method: 'net_version', fault: { action: 'result', result: 'lie' } })
  proxy.use({ method: 'eth_gasPrice', fault: { action: 'error', code: 1, message: 'no' } })
  proxy.use({ method: 'eth_chainId', fault: { action: 'rewrite', rewrite: () => '0x1' } })
  const batch = ['eth_blockNumber', 'net_version', 'eth_chainId', 'eth_gasPrice'].map((method, id) =>
    ask(method, [], id),
  )
  expect(await post(batch)).toEqual({
    status: 200,
    body: [
      { jsonrpc: '2.0', id: 0, result: `0x${(await height()).toString(16)}` },
      { jsonrpc: '2.0', id: 1, result: 'lie' },
      { jsonrpc: '2.0', id: 2, result: '0x1' },
      { jsonrpc: '2.0', id: 3, error: { code: 1, message: 'no' } },
    ],
  })
})

test('of a batch one call that is dropped drops the whole', async () => {
  proxy.use({ method: 'eth_chainId', fault: { action: 'drop' } })
  const mined = await minedBy(() => expect(post([mine, ask('eth_chainId', [], 2)])).rejects.toThrow('fetch failed'))
  expect(mined).toBe(0n)
  expect(proxy.calls.map(({ action }) => action)).toEqual(['pass', 'drop'])
})

test('a rule may look at parameters and count; a newer rule goes first; taking it out heals', async () => {
  const zero = { action: 'result', result: '0x0' } as const
  proxy.use({
    method: ['eth_getBalance'],
    when: ({ params }) => JSON.stringify(params).includes('aa'),
    nth: 2,
    fault: zero,
  })
  const balance = async (address: string) => {
    const { body } = await post(ask('eth_getBalance', [address, 'latest']))
    return (body as { result: string }).result
  }
  const [rich, other] = [`0x${'00'.repeat(19)}aa`, `0x${'00'.repeat(19)}bb`]
  await on.chain.client.setBalance({ address: rich as '0x', value: 5n })
  const seen = [await balance(rich), await balance(other), await balance(rich), await balance(rich)]
  expect(seen).toEqual(['0x5', '0x0', '0x0', '0x5'])
  const heal = proxy.use({ nth: (n) => n <= 2, fault: { action: 'result', result: '0x7' } })
  expect([await balance(rich), await balance(rich), await balance(rich)]).toEqual(['0x7', '0x7', '0x5'])
  heal()
  expect(await balance(rich)).toBe('0x5')
})

test('probability is drawn from the seed', async () => {
  const draw = async (seed: number) => {
    const other = await startRpcProxy({
      target: on.chain.rpcUrl,
      seed,
      rules: [{ probability: 0.5, fault: { action: 'status', status: 500 } }],
    })
    for (let i = 0; i < 24; i++) {
      await fetch(other.url, { method: 'POST', body: JSON.stringify(ask('eth_chainId')) }).then((r) => r.text())
    }
    await other.stop()
    return other.calls.map(({ action }) => action).join()
  }
  expect(await draw(7)).toBe(await draw(7))
  expect(await draw(7)).not.toBe(await draw(8))
  expect(new Set((await draw(7)).split(','))).toEqual(new Set(['pass', 'status']))
})

test('a node that is down is a bad gateway', async () => {
  const orphan = await startRpcProxy({ target: 'http://127.0.0.1:1' })
  const response = await fetch(orphan.url, { method: 'POST', body: JSON.stringify(ask('eth_chainId')) })
  await orphan.stop()
  expect(response.status).toBe(502)
})

test('a port that is taken is named', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(startRpcProxy({ target: on.chain.rpcUrl, port })).rejects.toMatchObject({ code: 'port_taken' })
  await new Promise((resolve) => server.close(resolve))
})
