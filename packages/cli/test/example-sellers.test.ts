import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'

// Every seller in examples/sellers sells once, on a real chain, and so does one before a facilitator of its own.

type Example = {
  openShop(settings: object): Promise<{ readonly url: string; close(): Promise<void> }>
}

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await startSandbox({ demo: false, only: 'evm' })
})
afterAll(() => sandbox?.stop())

test('the page of examples has a row for each, and names no file that is not there', () => {
  const examples = new URL('../../../examples/', import.meta.url)
  const isExample = (name: string) => !/^(node_modules|package\.json|pay\.db.*|README\.md)$/.test(name)
  const namesIn = (path: string) => readdirSync(new URL(path, examples)).filter(isExample)
  const sellers = namesIn('sellers').map((name) => `sellers/${name}`)
  const all = [...namesIn('.').filter((name) => name !== 'sellers'), ...sellers]
  const page = readFileSync(new URL('README.md', examples), 'utf8')
  const linked = [...page.matchAll(/\]\((?!\.\.\/)([^)#]+)\)/g)].map(([, path]) => path)
  expect(linked.toSorted()).toEqual(all.toSorted())
  const run = [...page.matchAll(/`node examples\/([^`]+)`/g)].map(([, path]) => String(path))
  expect(run.filter((path) => !all.includes(path) && !all.includes(path.split('/')[0] ?? ''))).toEqual([])
})

const folder = new URL('../../../examples/sellers/', import.meta.url).href

test.each(['hono', 'express', 'fastify', 'fetch', 'next', 'node', 'proxy'])('the example %s sells', async (name) => {
  const { buy, settingsOf } = await import(`${folder}try-out.mjs`)
  const { openShop }: Example = await import(`${folder}${name}.mjs`)
  const shop = await openShop(settingsOf(sandbox.ready))
  try {
    expect(await buy(shop.url, sandbox.ready)).toEqual({
      unpaid: 402,
      paid: 200,
      answer: expect.stringContaining('"temperature":11'),
      transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    })
  } finally {
    await shop.close()
  }
})

test('the official middleware sells through the facilitator of the example', async () => {
  const { run }: { run(ready: object): Promise<object> } = await import(
    new URL('../../../examples/own-facilitator/own-facilitator.mjs', import.meta.url).href
  )
  expect(await run(sandbox.ready)).toEqual({
    answer: { temperature: 11 },
    transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    settlement: 'settled',
  })
})
