import type { OnEvent } from '@groat/core'
import {
  createMemoryClaims,
  type GateRequest,
  PaymentRequiredError,
  type RouteOptions,
  type SoldRoute,
} from '@groat/server'
import { createConditions } from '@groat/server/conditions'
import { type PaidEnv, paywall } from '@groat/server/hono'
import { createPricing } from '@groat/server/pricing'
import { Environment } from '@marcbachmann/cel-js'
import { type Context, Hono } from 'hono'
import type { DemoRoute } from './demo-api.js'
import type { LocalNetwork } from './local-network.js'

/** A part of the demo API. */
export type DemoPart = {
  readonly app: Hono
  readonly routes: readonly DemoRoute[]
  ready(): Promise<void>
  /** What is sold, for the documents that describe it. */
  sold(): Promise<readonly SoldRoute[]>
}

type Handler = (c: Context<PaidEnv>) => Response | Promise<Response>

/** Sells one small answer in every other way to price, and in every mode; what is counted needs a chain that has a scheme with a ceiling. */
export function createDemoPrices(options: {
  readonly networks: readonly LocalNetwork[]
  readonly facilitatorUrl: string
  readonly onEvent: OnEvent
}): DemoPart {
  const { networks, facilitatorUrl, onEvent } = options
  const metered = networks.filter((network) => network.metered !== undefined)
  const paid = paywall({
    facilitator: facilitatorUrl,
    payTo: Object.fromEntries(networks.map(({ network, payTo }) => [network, payTo])),
    schemes: networks.flatMap(({ sells, metered }) => (metered === undefined ? [sells] : [sells, metered.sells])),
    store: createMemoryClaims({ singleProcess: true }),
    pricing: createPricing({ conditions: createConditions(Environment) }),
    onEvent,
  })
  const app = new Hono()
  const routes: DemoRoute[] = []

  const sell = (path: string, price: string, model: string, terms: RouteOptions, handler: Handler): void => {
    const isMetered = terms.upTo !== undefined && terms.prepaid === undefined
    const on = isMetered ? metered : networks
    if (on.length === 0) return
    app.get(path, paid({ name: `GET ${path}`, ...terms }), handler)
    const ids = on.map(({ network }) => network)
    const mode = terms.mode ?? (terms.prepaid === undefined ? 'strict' : 'upfront')
    routes.push({ method: 'GET', path, scheme: isMetered ? 'upto' : 'exact', networks: ids, price, model, mode })
  }

  const times = [{ 2: 'query_length > 20' }, { 1.5: '"hd" in query' }]
  sell('/render', '$0.002', 'multipliers on conditions', { price: '$0.002', times }, (c) =>
    c.json({ pixels: 'hd' in c.req.query() ? 1080 : 480 }),
  )
  sell('/search', '$0.01', 'bundle of 10', { price: '$0.01', bundle: 10 }, (c) =>
    c.json({ found: ['a groat', 'two groats'] }),
  )
  sell('/archive', '$0.05', 'pass for an hour', { price: '$0.05', pass: '1h' }, (c) => c.json({ issues: 1327 }))
  const free = { calls: 3, by: 'header["x-api-key"]' }
  sell('/trial', '$0.001', '3 free calls for each x-api-key', { price: '$0.001', free }, (c) =>
    c.json({ free: c.get('payment').amount === 0n }),
  )
  sell('/video', '$0.02', 'asked by the handler, quoted', { asks: true }, (c) => {
    if (c.get('payment').amount === 0n) throw new PaymentRequiredError({ price: '$0.02', description: 'A short film' })
    return c.json({ film: 'The mint at work' })
  })

  sell('/live', '$0.002', 'per request', { price: '$0.002', mode: 'upfront', streams: true }, () =>
    events('tick', 'tock'),
  )
  sell('/ticker', '$0.002', 'per request', { price: '$0.002', mode: 'accepted', streams: true }, () =>
    events('up', 'down'),
  )
  const quoted = (request: GateRequest) => (request.url.includes('hd') ? '$0.004' : '$0.002')
  sell('/quote', '$0.002', 'by the request, with a signed quote', { price: quoted, quote: '5m' }, (c) =>
    c.json({ dots: 'hd' in c.req.query() ? 1080 : 480 }),
  )
  if (networks.length > 1) {
    const offers = networks.map(({ network }, index) => ({ network, price: `$0.00${index + 1}` }))
    sell('/atlas', '$0.001', 'another price on each network', { offers }, (c) => c.json({ maps: 12 }))
  }
  const tokens = networks.flatMap(({ network, token }) => (token === undefined ? [] : [{ network, asset: token }]))
  if (tokens.length > 0) {
    const inDollars = networks.map(({ network }) => ({ network, price: '$0.003' }))
    const inTokens = tokens.map((each) => ({ ...each, price: `0.05 ${each.asset.symbol}` }))
    const offers = [...inDollars, ...inTokens]
    sell('/coins', '$0.003', 'another price in each asset', { offers }, (c) =>
      c.json({ inWhat: c.get('payment').offer.asset }),
    )
  }
  const trust = { mode: 'optimistic', lossBudget: '$1', streams: true } as const
  sell('/radio', '$0.002', 'per request', { price: '$0.002', ...trust }, () => events('la', 'la', 'la'))

  const perToken = { input: '$0.000002', output: '$0.00001' }
  const llm: Handler = (c) => {
    const words = (c.req.query('q') ?? 'what is a groat').split(/\s+/)
    return c.json({ answer: 'a coin', usage: { prompt_tokens: words.length, completion_tokens: 2 } })
  }
  sell('/tokens', '$0.05', 'per token, in and out', { perToken, upTo: '$0.05' }, llm)
  sell('/credit', '$0.05', 'per token, out of a prepaid sum', { perToken, upTo: '$0.01', prepaid: '$0.05' }, llm)
  const perMinute = { price: '$0.001', minimum: 2 }
  sell('/desk', '$0.05', 'per minute, at least 2', { perMinute, upTo: '$0.05' }, (c) => c.json({ desk: 7 }))
  const compute = { perMillisecond: '$0.000001', perCycle: '$0.000002', upTo: '$0.05' }
  sell('/compute', '$0.05', 'per millisecond and cycle', compute, (c) => {
    c.get('payment').use({ cycles: 1_000 })
    return c.json({ prime: 7919 })
  })
  sell('/download', '$0.05', 'per byte while it streams', { perByte: '$0.00001', upTo: '$0.05', ...trust }, () =>
    events('groat '.repeat(100)),
  )
  return { app, routes, ready: paid.ready, sold: paid.sold }
}

/** An event stream of a few lines. */
function events(...lines: readonly string[]): Response {
  const text = lines.map((line) => `data: ${line}\n\n`)
  const stream = new ReadableStream<string>({
    pull(controller) {
      const next = text.shift()
      if (next === undefined) controller.close()
      else controller.enqueue(next)
    },
  })
  return new Response(stream.pipeThrough(new TextEncoderStream()), { headers: { 'content-type': 'text/event-stream' } })
}
