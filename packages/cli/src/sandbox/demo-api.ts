import type { OnEvent } from '@groat/core'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { Hono } from 'hono'
import type { LocalNetwork } from './local-network.js'

/** One thing that the demo API sells. */
export type DemoRoute = {
  readonly method: 'GET'
  readonly path: string
  readonly scheme: string
  readonly networks: readonly string[]
  readonly price: string
}

/** The demo API: what it sells, and the application that sells it. */
export type DemoApi = { readonly app: Hono; readonly routes: readonly DemoRoute[]; ready(): Promise<void> }

/** Makes the demo API: small answers at small prices, each to be paid on any chain of the sandbox. */
export function createDemoApi(options: {
  readonly networks: readonly LocalNetwork[]
  readonly facilitatorUrl: string
  readonly onEvent: OnEvent
}): DemoApi {
  const { networks, facilitatorUrl, onEvent } = options
  const paid = paywall({
    facilitator: facilitatorUrl,
    payTo: Object.fromEntries(networks.map(({ network, payTo }) => [network, payTo])),
    schemes: networks.map(({ sells }) => sells),
    store: createMemoryClaims({ singleProcess: true }),
    onEvent,
  })

  const app = new Hono()
  const sell = (path: string, price: string, description: string, answer: () => object): DemoRoute => {
    app.get(path, paid({ name: `GET ${path}`, price, description, mimeType: 'application/json' }), (c) =>
      c.json(answer()),
    )
    return { method: 'GET', path, scheme: 'exact', networks: networks.map(({ network }) => network), price }
  }
  const routes = [
    sell('/weather', '$0.001', 'The weather where this machine stands', () => ({
      temperature: 11,
      sky: 'overcast',
      wind: 'light',
    })),
    sell('/report', '$0.05', 'A quarterly report that nobody has read', () => ({
      title: 'Quarterly report',
      pages: 42,
      summary: 'Revenue is up.',
    })),
  ]
  const metered = networks.filter((network) => network.metered !== undefined)
  if (metered.length === 0) return { app, routes, ready: paid.ready }

  const upTo = paywall({
    facilitator: facilitatorUrl,
    payTo: Object.fromEntries(metered.map(({ network, payTo }) => [network, payTo])),
    schemes: metered.flatMap((network) => network.metered?.sells ?? []),
    store: createMemoryClaims({ singleProcess: true }),
    onEvent,
  })
  const description = 'An answer by the word: a tenth of a cent for each'
  app.get('/chat', upTo({ name: 'GET /chat', price: '$0.05', description, mimeType: 'application/json' }), (c) => {
    const words = (c.req.query('q') ?? 'what is a groat').split(/\s+/).filter(Boolean).slice(0, 50)
    c.get('payment').charge(1_000n * BigInt(words.length))
    return c.json({ answer: words.toReversed().join(' '), words: words.length })
  })
  const chat: DemoRoute = {
    method: 'GET',
    path: '/chat',
    scheme: 'upto',
    networks: metered.map(({ network }) => network),
    price: '$0.05',
  }
  return {
    app,
    routes: [...routes, chat],
    ready: async () => {
      await Promise.all([paid.ready(), upTo.ready()])
    },
  }
}
