import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createJsonRpc, type JsonRpcOptions } from './json-rpc.js'

type Request = { readonly id: number; readonly method: string; readonly params: readonly unknown[] }
type Answer = (requests: readonly Request[], response: ServerResponse) => unknown

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

/** A node: answers `eth_chainId` rightly, echoes every other method, and keeps the batches it was asked. */
async function startNode({ answer, chainId = '0x1' }: { answer?: Answer; chainId?: string } = {}) {
  const batches: string[][] = []
  const reply = ({ id, method }: Request) => ({
    jsonrpc: '2.0',
    id,
    result: method === 'eth_chainId' ? chainId : method,
  })
  const server = createServer(async (message: IncomingMessage, response) => {
    let body = ''
    for await (const part of message) body += part
    const requests: Request[] = [JSON.parse(body)].flat()
    batches.push(requests.map(({ method }) => method))
    const replies = (await answer?.(requests, response)) ?? requests.map(reply)
    if (!response.writableEnded) response.end(JSON.stringify(replies))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret-key`, batches, reply }
}

const connect = (urls: [string, ...string[]], options: Partial<JsonRpcOptions> = {}) =>
  createJsonRpc({ urls, proof, ...options })
const proof = { method: 'eth_chainId', expected: 1n, accepts: (id: unknown) => id === '0x1' }
const results = (replies: readonly unknown[]) => replies.map((reply) => (reply as { result?: unknown }).result)

test('calls of one tick are one request, which also asks which chain it is, once', async () => {
  const node = await startNode()
  const rpc = connect([node.url])
  expect(results(await Promise.all([rpc.request('a', []), rpc.request('b', [])]))).toEqual(['a', 'b'])
  expect(results(await Promise.all([rpc.request('c', [])]))).toEqual(['c'])
  expect(node.batches).toEqual([['a', 'b', 'eth_chainId'], ['c']])
})

test('calls that wait while others are under way leave together', async () => {
  const open: (() => void)[] = []
  const node = await startNode({ answer: async () => void (await new Promise<void>((resolve) => open.push(resolve))) })
  const rpc = connect([node.url], { maxConcurrency: 1 })
  const all = [rpc.request('first', [])]
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    all.push(rpc.request(`later${i}`, []))
  }
  while (open.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  open.shift()?.()
  while (open.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  open.shift()?.()
  await Promise.all(all)
  expect(node.batches).toEqual([
    ['first', 'eth_chainId'],
    ['later0', 'later1', 'later2'],
  ])
})

test('a batch is not larger than the node takes', async () => {
  const node = await startNode()
  const rpc = connect([node.url], { maxBatch: 2 })
  await Promise.all(['a', 'b', 'c'].map((method) => rpc.request(method, [])))
  expect(node.batches.flat().filter((method) => method !== 'eth_chainId')).toEqual(['a', 'b', 'c'])
  expect(node.batches).toHaveLength(2)
})

test('a node that takes no batches is asked one thing at a time, which chain it is first', async () => {
  const node = await startNode()
  const rpc = connect([node.url], { maxBatch: 1, maxConcurrency: 1 })
  expect(results(await Promise.all(['a', 'b'].map((method) => rpc.request(method, []))))).toEqual(['a', 'b'])
  expect(node.batches).toEqual([['eth_chainId'], ['a'], ['b']])
})

test('an error of the node is a reply, and answers in any order find their calls', async () => {
  const node = await startNode({
    answer: (requests) =>
      [...requests]
        .reverse()
        .map((request) =>
          request.method === 'bad'
            ? { jsonrpc: '2.0', id: request.id, error: { code: 3, message: 'execution reverted', data: '0x08c379a0' } }
            : { jsonrpc: '2.0', id: request.id, result: request.method === 'eth_chainId' ? '0x1' : request.method },
        ),
  })
  const rpc = connect([node.url])
  expect(await Promise.all([rpc.request('bad', []), rpc.request('good', [])])).toEqual([
    { ok: false, code: 3, message: 'execution reverted', data: '0x08c379a0' },
    { ok: true, result: 'good' },
  ])
})

test('EVM-EXACT-069 a node of another chain is refused, whatever it answers', async () => {
  const node = await startNode({ chainId: '0x2' })
  await expect(connect([node.url]).request('a', [])).rejects.toMatchObject({
    code: 'rpc_wrong_chain',
    context: { node: new URL(node.url).host, expected: 1n, answered: 2n },
  })
})

test.each([
  ['a number', 1n, '0xzz', '0xzz'],
  ['a longer hash', 'EtWTRABZ', 'EtWXRABZaYq6', 'EtWXRABZ'],
  ['a sentence', 'EtWTRABZ', 'see https://node.example/key', undefined],
  ['no end', 1n, `0x${'1'.repeat(200)}`, undefined],
])(
  'of what a node of another chain answers, %s is told as far as it names a chain',
  async (_, expected, chainId, answered) => {
    const node = await startNode({ chainId })
    const error = await connect([node.url], { proof: { ...proof, expected } })
      .request('a', [])
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'rpc_wrong_chain', context: { answered } })
    expect(String(error)).not.toContain('key')
  },
)

test('one passing failure is not seen, and the node has to say again which chain it is', async () => {
  const node = await startNode({
    answer: (_requests, response) => {
      if (node.batches.length === 2) response.writeHead(503).end('busy')
    },
  })
  const rpc = connect([node.url])
  expect(results([await rpc.request('a', []), await rpc.request('b', [])])).toEqual(['a', 'b'])
  expect(node.batches).toEqual([['a', 'eth_chainId'], ['b'], ['b', 'eth_chainId']])
})

test('a redirect is not followed: a call goes to the node that it was meant for', async () => {
  const other = await startNode()
  const node = await startNode({
    answer: (_requests, response) => void response.writeHead(307, { location: other.url }).end(),
  })
  await expect(connect([node.url]).request('a', [])).rejects.toMatchObject({ code: 'rpc_unreachable' })
  expect(other.batches).toEqual([])
})

test('the next node answers for one that is gone, and is kept', async () => {
  const gone = await startNode({ answer: (_requests, response) => void response.writeHead(429).end() })
  const node = await startNode()
  const rpc = connect([gone.url, node.url])
  expect(results([await rpc.request('a', []), await rpc.request('b', [])])).toEqual(['a', 'b'])
  expect(gone.batches).toHaveLength(1)
})

/** Time that passes when a test says so. */
function startClock() {
  let now = 0
  return {
    clock: () => now,
    pass(ms: number) {
      now += ms
    },
  }
}

const refusing: Answer = (_requests, response) => void response.writeHead(500).end()

test('a node that keeps failing is left alone, but for one question after each rest', async () => {
  const time = startClock()
  let broken = true
  const node = await startNode({
    answer: (_requests, response) => (broken ? refusing(_requests, response) : undefined),
  })
  const rpc = connect([node.url], { clock: time.clock, jitter: () => 0 })
  const ask = () =>
    rpc.request('a', []).then(
      ({ ok }) => ok,
      ({ code }) => code,
    )
  for (let i = 0; i < 3; i++) expect(await ask()).toBe('rpc_unreachable')
  expect(rpc.nodes()).toMatchObject([{ state: 'down', failures: 5, fault: 'rpc_unreachable' }])
  const asked = node.batches.length
  const { host } = new URL(node.url)
  await expect(rpc.request('a', [])).rejects.toMatchObject({ code: 'rpc_unreachable', context: { node: host } })
  expect(node.batches).toHaveLength(asked)

  time.pass(5_000)
  expect(await Promise.all([ask(), ask()])).toEqual(['rpc_unreachable', 'rpc_unreachable'])
  expect(node.batches).toHaveLength(asked + 1)
  time.pass(5_000)
  broken = false
  expect(await ask()).toBe(true)
  expect(rpc.nodes()).toMatchObject([{ state: 'up', failures: 0, lag: 0n }])
})

test('a node that is asked too much is left for another, by its HTTP status and by its own word', async () => {
  const time = startClock()
  const limit = { code: -32005, message: 'limit exceeded' }
  const busy = await startNode({
    answer: (requests) =>
      requests.map((request) =>
        request.method === 'much' ? { jsonrpc: '2.0', id: request.id, error: limit } : busy.reply(request),
      ),
  })
  const node = await startNode()
  const rpc = connect([busy.url, node.url], { clock: time.clock })
  expect(results(await Promise.all([rpc.request('much', []), rpc.request('little', [])]))).toEqual(['much', 'little'])
  expect([busy.batches, node.batches]).toEqual([[['much', 'little', 'eth_chainId']], [['much', 'eth_chainId']]])

  const later = await startNode({
    answer: (_requests, response) => void response.writeHead(429, { 'retry-after': '3' }).end(),
  })
  const patient = connect([later.url, node.url], { clock: time.clock })
  await patient.request('a', [])
  time.pass(2_900)
  await patient.request('a', [])
  expect(later.batches).toHaveLength(1)
  time.pass(200)
  await patient.request('a', [])
  expect(later.batches).toHaveLength(2)
})

test('a node that lags behind the others is asked last, and by its host only is it known', async () => {
  const time = startClock()
  const at = (height: string) =>
    startNode({
      answer: (requests) =>
        requests.map((request) =>
          request.method === 'head' ? { ...node.reply(request), result: height } : node.reply(request),
        ),
    })
  const node = await startNode()
  const [slow, quick] = [await at('0x10'), await at('0x20')]
  const head = { method: 'head', read: (height: unknown) => BigInt(String(height)) }
  const rpc = connect([slow.url, quick.url], { clock: time.clock, head })
  await rpc.request('a', [])
  while (rpc.nodes().some((each) => each.head === undefined)) await new Promise((resolve) => setTimeout(resolve, 1))
  await rpc.request('b', [])
  expect([slow.batches.flat(), quick.batches.flat()]).toEqual([
    expect.not.arrayContaining(['b']),
    expect.arrayContaining(['b']),
  ])
  expect(rpc.nodes()).toEqual([
    { host: new URL(slow.url).host, state: 'behind', failures: 0, lag: 16n, head: 16n, latencyMs: 0 },
    { host: new URL(quick.url).host, state: 'up', failures: 0, lag: 0n, head: 32n, latencyMs: 0 },
  ])
})

test('what two nodes have to say is asked of two different ones, whichever answer', async () => {
  const named = (name: string) =>
    startNode({
      answer: (requests) =>
        requests.map((request) =>
          request.method === 'eth_chainId' ? node.reply(request) : { ...node.reply(request), result: name },
        ),
    })
  const node = await startNode()
  const gone = await startNode({ answer: refusing })
  const [a, b] = [await named('a'), await named('b')]
  const rpc = connect([gone.url, a.url, b.url])
  const said = await Promise.all([rpc.requestOf(2, 'x', []), rpc.requestOf(2, 'y', [])])
  expect(said.map((replies) => results(replies).sort())).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ])
  expect([a.batches, b.batches]).toEqual([[['x', 'y', 'eth_chainId']], [['x', 'y', 'eth_chainId']]])
  await expect(connect([gone.url, a.url]).requestOf(2, 'x', [])).rejects.toMatchObject({ code: 'rpc_unreachable' })
  await expect(connect([a.url]).requestOf(2, 'x', [])).rejects.toMatchObject({ code: 'invalid_config' })
})

test('nodes of one host are told apart by their place in the list', async () => {
  const [one, other] = [await startNode({ answer: refusing }), await startNode()]
  const [keys, { host }] = [[`${one.url}/a`, `${one.url}/b`, other.url], new URL(one.url)]
  const rpc = connect(keys as [string, ...string[]])
  expect(rpc.nodes().map((each) => each.host)).toEqual([`${host} #1`, `${host} #2`, new URL(other.url).host])
  await expect(connect([keys[0] ?? '', keys[1] ?? '']).request('a', [])).rejects.toMatchObject({
    context: { node: `${host} #2` },
  })
})

test.each<[string, Answer, string]>([
  ['is down', (_requests, response) => void response.socket?.destroy(), 'rpc_unreachable'],
  ['is over its limit', (_requests, response) => void response.writeHead(429).end('slow down'), 'rpc_unreachable'],
  ['says nothing', () => new Promise((resolve) => setTimeout(resolve, 2_000).unref()), 'rpc_unreachable'],
  ['sends no JSON', (_requests, response) => void response.end('<html>'), 'rpc_invalid_answer'],
  ['sends nothing', (_requests, response) => void response.end(), 'rpc_invalid_answer'],
  ['sends another thing', () => 'hello', 'rpc_invalid_answer'],
  ['leaves out an answer', () => [{ jsonrpc: '2.0', id: 1, result: '0x1' }], 'rpc_invalid_answer'],
  ['sends too much', (_requests, response) => void response.end('['.repeat(100_000)), 'rpc_invalid_answer'],
])('a node that %s is a typed fault that tells no URL', async (_name, answer, code) => {
  const node = await startNode({ answer })
  const rpc = connect([node.url], { timeoutMs: 200, maxAnswerBytes: 50_000, network: 'eip155:1' })
  const error = await rpc.request('a', []).then(
    () => undefined,
    (reason) => reason,
  )
  const at = { network: 'eip155:1', node: new URL(node.url).host }
  expect(error).toMatchObject({ name: 'X402Error', code, context: at })
  expect(`${error.message} ${JSON.stringify(error.context)} ${error.cause}`).not.toContain('secret-key')
})
