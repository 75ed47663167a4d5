import { type Facilitator, network, type Supported, X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import { createMemoryClaims, paywall } from '../src/index.js'
import { payTo, testScheme } from './test-scheme.js'

/** A scheme whose offers name an account of the facilitator, as on Solana. */
const scheme = {
  ...testScheme,
  offersNeedFacilitator: true,
  offer: (terms: Parameters<typeof testScheme.offer>[0]) =>
    testScheme.offer({ ...terms, extra: { feePayer: terms.kind?.extra?.feePayer ?? 'nobody' } }),
}
const says = (feePayer: string, at = network('base-sepolia')): Supported => ({
  kinds: [{ x402Version: 2, scheme: 'exact', network: at, extra: { feePayer } }],
  extensions: [],
  signers: {},
})

function open(answers: (Supported | X402Error)[]) {
  let now = 1_800_000_000_000
  let asked = 0
  const facilitator: Facilitator = {
    verify: () => Promise.reject(new Error('not asked')),
    settle: () => Promise.reject(new Error('not asked')),
    supported: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]
      if (answer instanceof X402Error || answer === undefined) throw answer
      return answer
    },
  }
  const paid = paywall({
    facilitator,
    payTo: { 'base-sepolia': payTo },
    schemes: [scheme],
    store: createMemoryClaims({ singleProcess: true }),
    clock: () => now,
  })
  const ask = async (handler: (request: Request) => Response | Promise<Response>) => {
    const response = await handler(new Request('https://shop.example/a'))
    const body = (await response.json()) as { accepts?: { extra: { feePayer: string } }[]; code: string }
    return [response.status, body.accepts?.[0]?.extra.feePayer ?? body.code]
  }
  const later = (ms: number) => {
    now += ms
  }
  return { paid, ask, later, asked: () => asked }
}

test('no offer is made before the facilitator said its part of it, which is asked for once', async () => {
  const { paid, ask, asked } = open([says('A')])
  const handler = paid('$1', () => new Response('x'))
  expect(await Promise.all([ask(handler), ask(handler), ask(handler)])).toEqual(Array(3).fill([402, 'A']))
  expect(await ask(paid('$2', () => new Response('y')))).toEqual([402, 'A'])
  expect(asked()).toBe(1)
})

test('a facilitator that cannot be asked is a fault of the moment', async () => {
  const { paid, ask } = open([new X402Error('facilitator_unreachable'), says('A')])
  const handler = paid('$1', () => new Response('x'))
  expect(await ask(handler)).toEqual([503, 'facilitator_unreachable'])
  expect(await ask(handler)).toEqual([402, 'A'])
})

test('it is asked again after ten minutes; what it said stands until it says something better', async () => {
  const unreachable = new X402Error('facilitator_unreachable')
  const { paid, ask, later, asked } = open([says('A'), unreachable, says('B', network('base')), says('C')])
  const handler = paid('$1', () => new Response('x'))
  expect(await ask(handler)).toEqual([402, 'A'])
  later(599_999)
  expect([await ask(handler), asked()]).toEqual([[402, 'A'], 1])
  for (const [feePayer, times] of [
    ['A', 2],
    ['A', 3],
  ] as const) {
    later(600_000)
    await ask(handler)
    await new Promise(setImmediate)
    expect([await ask(handler), asked()]).toEqual([[402, feePayer], times])
  }
  later(600_000)
  await ask(handler)
  await new Promise(setImmediate)
  expect(await ask(handler)).toEqual([402, 'C'])
})

test('a route that is defined after the facilitator was asked is checked at once', async () => {
  const { paid } = open([says('A', network('base'))])
  await paid.ready()
  expect(() => paid('$1', () => new Response('x'))).toThrow(/unsupported_offer/)
})
