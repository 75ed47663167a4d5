import { expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import type { ReadyLine } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

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
    },
    facilitator: { url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) },
    api: {
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      routes: [
        { method: 'GET', path: '/weather', scheme: 'exact', networks: ['eip155:84532'], price: '$0.001' },
        { method: 'GET', path: '/report', scheme: 'exact', networks: ['eip155:84532'], price: '$0.05' },
      ],
    },
    accounts: expect.arrayContaining([
      {
        role: 'payer',
        evm: {
          address: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
          privateKey: expect.stringMatching(/^0x[0-9a-f]{64}$/),
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
  expect(await firstEvents(`${ready.api?.url}/sandbox/events`, 2)).toEqual([
    expect.objectContaining({ accounts: expect.any(Array) }),
    expect.objectContaining({ resource: '/weather', outcome: 'settled', amount: '0.001' }),
  ])

  io.stop()
  expect(await running).toBe(0)
  for (const url of [ready.evm.rpcUrl, ready.facilitator.url, ready.api?.url ?? '']) {
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  }
})

test('without the demo there is no API', async () => {
  const io = recordedIo()
  const running = runCli(['sandbox', '--json', '--no-demo', '--port', '0'], io)
  const { ready } = JSON.parse(await io.firstLine) as { ready: ReadyLine }
  expect(ready.api).toBeUndefined()
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
