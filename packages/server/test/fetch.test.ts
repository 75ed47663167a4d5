import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { createMemoryClaims, paywall } from '@groat/server'
import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FacilitatorStub, startFacilitator } from './facilitator-stub.js'
import { offersOf } from './shop.js'
import { headersOf, payer, paymentFor, payTo, testScheme } from './test-scheme.js'

describe('a fetch-style handler', () => {
  let stub: FacilitatorStub
  beforeEach(async () => {
    stub = await startFacilitator()
  })
  afterEach(() => stub.close())

  const sell = (...[handler]: Parameters<ReturnType<typeof paywall>> extends [unknown, infer H] ? [H] : never) =>
    paywall({
      facilitator: stub.url,
      payTo: { 'base-sepolia': payTo },
      schemes: [testScheme],
      store: createMemoryClaims({ singleProcess: true }),
    })('$0.001', handler)

  const pay = async (shop: ReturnType<typeof sell>, init: RequestInit = {}): Promise<Response> => {
    const url = 'http://shop.example/a'
    const challenge = await shop(new Request(url))
    const [offer] = offersOf({ status: 402, headers: challenge.headers, text: await challenge.text() })
    return shop(new Request(url, { ...init, headers: headersOf(paymentFor(offer)) }))
  }

  test('gets the payment, and whatever the platform gives beside the request', async () => {
    const paid = paywall({
      facilitator: stub.url,
      payTo: { 'base-sepolia': payTo },
      schemes: [testScheme],
      store: createMemoryClaims({ singleProcess: true }),
    })
    const shop = paid('$0.001', (_request, payment, env: { readonly city: string }) =>
      Response.json({ payer: payment.payer, city: env.city }),
    )
    const url = 'http://shop.example/a'
    const challenge = await shop(new Request(url), { city: 'Rome' })
    const [offer] = offersOf({ status: 402, headers: challenge.headers, text: await challenge.text() })
    const answer = await shop(new Request(url, { headers: headersOf(paymentFor(offer)) }), { city: 'Rome' })
    expect(await answer.json()).toEqual({ payer, city: 'Rome' })
  })

  test('that throws, throws', async () => {
    const shop = sell(() => {
      throw new RangeError('mine')
    })
    await expect(pay(shop)).rejects.toThrow(RangeError)
    expect(stub.calls.settle).toEqual([])
  })

  test('whose response cannot be held back sells nothing', async () => {
    const answer = await pay(sell(() => Response.error()))
    expect(answer.status).toBe(500)
    expect(await answer.json()).toMatchObject({ code: 'handler_failed' })
    expect(stub.calls.settle).toEqual([])
  })

  test('whose stream breaks sells nothing', async () => {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error('broken')),
    })
    await expect(pay(sell(() => new Response(broken)))).rejects.toThrow('broken')
    expect(stub.calls.settle).toEqual([])
  })

  test('whose failure streams is left alone', async () => {
    const made = new Response(new ReadableStream({ pull: () => new Promise(() => {}) }), { status: 500 })
    expect(await pay(sell(() => made))).toBe(made)
  })

  test('whose customer has left sells nothing', async () => {
    const left = new AbortController()
    const shop = sell(() => {
      left.abort()
      return new Response('late')
    })
    await pay(shop, { signal: left.signal })
    expect(stub.calls.settle).toEqual([])
  })
})

test('the gate needs no module of Node, and no zod beyond core’s', async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['source'],
    external: [...builtinModules, 'node:*'],
  })
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports)
  expect(imports.filter((imported) => imported.external)).toEqual([])
  const inputs = Object.keys(metafile.inputs).filter(
    (input) => !/packages\/(core|server)\/src\/|node_modules\/zod\//.test(input),
  )
  expect(inputs).toEqual([])
})
