import { createPayer } from '@groat/client'
import { type Asset, decodeChallenge, network } from '@groat/core'
import { exactEvmWithPermit2, privateKeyAccount } from '@groat/evm/exact/permit2/client'
import { expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import type { Purchase } from '../src/sandbox/buyer.js'
import type { ReadyLine } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

const BASE = 'eip155:84532'
const SOLANA = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1'

test('the ready line names everything that runs, and stopping ends it', async () => {
  const io = recordedIo()
  const running = runCli(['sandbox', '--json', '--port', '0'], io)
  const { ready } = JSON.parse(await io.firstLine) as { ready: ReadyLine }
  expect(ready).toEqual({
    evm: {
      rpcUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      chainId: 84532,
      network: 'eip155:84532',
      usdc: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
      multicall3: '0xcA11bde05977b3631167028862bE2a173976CA11',
      permit2: '0x000000000022D473030F116dDEE9F6B43aC78BA3',
      delegation: {
        manager: expect.stringMatching(/^0x[0-9a-fA-F]{40}$/),
        account: expect.stringMatching(/^0x[0-9a-fA-F]{40}$/),
        enforcers: expect.objectContaining({ erc20TransferAmount: expect.stringMatching(/^0x[0-9a-fA-F]{40}$/) }),
      },
    },
    svm: {
      rpcUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      wsUrl: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+$/),
      network: SOLANA,
      usdc: '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU',
    },
    facilitator: { url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) },
    api: {
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      routes: expect.arrayContaining([
        {
          method: 'GET',
          path: '/weather',
          scheme: 'exact',
          networks: ['eip155:84532', SOLANA],
          price: '$0.001',
          model: 'per request',
          mode: 'strict',
        },
        {
          method: 'GET',
          path: '/report',
          scheme: 'exact',
          networks: ['eip155:84532', SOLANA],
          price: '$0.05',
          model: 'per request',
          mode: 'strict',
        },
        {
          method: 'GET',
          path: '/chat',
          scheme: 'upto',
          networks: ['eip155:84532'],
          price: '$0.05',
          model: 'per word, below a ceiling',
          mode: 'strict',
        },
        {
          method: 'GET',
          path: '/stream',
          scheme: 'batch-settlement',
          networks: ['eip155:84532'],
          price: '$0.01',
          model: 'per byte, out of a channel',
          mode: 'strict',
        },
        {
          method: 'GET',
          path: '/order',
          scheme: 'auth-capture',
          networks: ['eip155:84532'],
          price: '$0.05',
          model: 'held, captured in part',
          mode: 'upfront',
        },
        {
          method: 'GET',
          path: '/tokens',
          scheme: 'upto',
          networks: ['eip155:84532'],
          price: '$0.05',
          model: 'per token, in and out',
          mode: 'strict',
        },
        {
          method: 'GET',
          path: '/live',
          scheme: 'exact',
          networks: ['eip155:84532', SOLANA],
          price: '$0.002',
          model: 'per request',
          mode: 'upfront',
        },
      ]),
    },
    accounts: expect.arrayContaining([
      {
        role: 'payer',
        evm: {
          address: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
          privateKey: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        },
        svm: {
          address: '9hSR6S7WPtxmTojgo6GG3k4yDPecgJY292j7xrsUGWBu',
          secretKey: expect.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{80,90}$/),
        },
      },
    ]),
  })

  const page = await fetch(ready.api?.url ?? '')
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect((await fetch(`${ready.api?.url}/weather`)).status).toBe(402)

  const bought = await fetch(`${ready.api?.url}/sandbox/buy`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: '/weather' }),
  })
  expect(await bought.json()).toMatchObject({ receipt: { amount: '1000' }, status: 200, answer: { temperature: 11 } })
  const onSolana = await fetch(`${ready.api?.url}/sandbox/buy`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: '/weather', network: SOLANA }),
  })
  expect(await onSolana.json()).toMatchObject({ receipt: { network: SOLANA }, status: 200 })
  expect(await firstEvents(`${ready.api?.url}/sandbox/events`, 3)).toEqual([
    expect.objectContaining({ accounts: expect.any(Array) }),
    expect.objectContaining({
      resource: '/weather',
      outcome: 'settled',
      amount: '0.001 USDC',
      network: 'base-sepolia',
    }),
    expect.objectContaining({
      resource: '/weather',
      outcome: 'settled',
      amount: '0.001 USDC',
      network: 'solana-devnet',
    }),
  ])
  expect(await (await fetch(`${ready.api?.url}/sandbox/ready`)).json()).toEqual(ready)

  // One of every pricing model and mode, and every other way to pay: each is bought where it is sold.
  const routes = ready.api?.routes ?? []
  expect(new Set(routes.map(({ mode }) => mode))).toEqual(new Set(['strict', 'upfront', 'accepted', 'optimistic']))
  expect(routes.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['/quote', '/socket', '/proof', '/plain', '/errand']),
  )
  const sold = await Promise.all(
    routes.map(async ({ path, networks, scheme }) => {
      const answer = await fetch(`${ready.api?.url}/sandbox/buy`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ path }),
      })
      const { status, receipt } = (await answer.json()) as Partial<Purchase>
      return [path, status, receipt?.scheme === scheme && networks.includes(receipt.network)]
    }),
  )
  expect(sold).toEqual(routes.map(({ path }) => [path, 200, true]))
  // Priced by network and asset: who has the other token only pays with that.
  const coins = await fetch(`${ready.api?.url}/coins`)
  const asked = decodeChallenge((name) => coins.headers.get(name), await coins.text())
  const offers = asked?.ok ? asked.value.accepts : []
  expect(offers.map(({ network, amount }) => [network, amount])).toEqual([
    [BASE, 3_000n],
    [SOLANA, 3_000n],
    [BASE, 50_000n],
  ])
  const [, , inTokens] = offers
  if (inTokens === undefined) throw new Error('no other asset')
  const token: Asset = {
    network: network(BASE),
    symbol: 'GROAT',
    address: inTokens.asset,
    decimals: 6,
    transfer: 'permit2',
  }
  const { privateKey = '' } = ready.accounts.find(({ role }) => role === 'payer')?.evm ?? {}
  const half = exactEvmWithPermit2({ account: privateKeyAccount(privateKey), assets: [token] })
  const payer = createPayer({
    schemes: [{ ...half, asset: (offer) => (offer.asset === token.address ? token : undefined) }],
  })
  const inGroats = await payer.fetch(`${ready.api?.url}/coins`)
  expect([inGroats.status, (await inGroats.json()).inWhat]).toEqual([200, token.address])
  expect(payer.receipt(inGroats)?.amount).toBe(50_000n)
  const plain = await fetch(`${ready.api?.url}/plain`)
  expect([plain.status, plain.headers.get('x-payment-amount')]).toEqual([402, '2000'])
  expect((await fetch(`${ready.api?.url}/socket`)).status).toBe(426)

  io.stop()
  expect(await running).toBe(0)
  for (const url of [ready.evm?.rpcUrl, ready.svm?.rpcUrl, ready.facilitator.url, ready.api?.url].map(String)) {
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  }
}, 120_000)

test.each(['evm', 'svm'] as const)('--only %s starts that chain alone', async (only) => {
  const io = recordedIo()
  const running = runCli(['start', '--once', '--json', '--only', only], io)
  expect(await running).toBe(0)
  const lines = io.written().trim().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ network: only === 'svm' ? SOLANA : 'eip155:84532' }])
})

test('without the demo there is no API', async () => {
  const io = recordedIo()
  const running = runCli(['sandbox', '--json', '--no-demo', '--port', '0'], io)
  const { ready } = JSON.parse(await io.firstLine) as { ready: ReadyLine }
  expect(ready.api).toBeUndefined()
  io.stop()
  expect(await running).toBe(0)
})

test('beside another sandbox the hint is an option of the command', async () => {
  const io = recordedIo()
  const running = runCli(['sandbox', '--json', '--only', 'evm', '--no-demo', '--port', '0'], io)
  const { ready } = JSON.parse(await io.firstLine) as { ready: ReadyLine }
  // The chain takes the third port after that of the API.
  for (const [offset, url] of [
    [1, ready.facilitator.url],
    [2, ready.evm?.rpcUrl ?? ''],
  ] as const) {
    const other = recordedIo()
    const port = String(Number(new URL(url).port) - offset)
    expect(await runCli(['sandbox', '--only', 'evm', '--no-demo', '--port', port], other)).toBe(3)
    expect(other.said()).toMatch(/groat: .*\d+.*\n {2}Stop what listens there, or choose another.* --port/)
    expect(other.said()).not.toContain('leave')
  }
  io.stop()
  expect(await running).toBe(0)
})

/** The data of the first events of a stream. */
async function firstEvents(url: string, count: number): Promise<unknown[]> {
  const abort = new AbortController()
  const response = await fetch(url, { signal: abort.signal })
  const events: unknown[] = []
  let text = ''
  const reader = response.body?.getReader()
  while (events.length < count) {
    const { value, done = true } = (await reader?.read()) ?? {}
    if (done) break
    const blocks = (text + new TextDecoder().decode(value)).split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) events.push(JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null'))
  }
  abort.abort()
  return events.slice(0, count)
}
