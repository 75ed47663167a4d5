import type { OnEvent } from '@groat/core'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { Hono } from 'hono'

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

/** Makes the demo API: small answers at small prices, paid to `payTo` on `network`. */
export function createDemoApi(options: {
  readonly network: string
  readonly payTo: string
  readonly facilitatorUrl: string
  readonly onEvent: OnEvent
}): DemoApi {
  const { network, payTo, facilitatorUrl, onEvent } = options
  const paid = paywall({
    facilitator: facilitatorUrl,
    payTo: { [network]: payTo },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
    onEvent,
  })

  const app = new Hono()
  const sell = (path: string, price: string, description: string, answer: () => object): DemoRoute => {
    app.get(path, paid({ name: `GET ${path}`, price, description, mimeType: 'application/json' }), (c) =>
      c.json(answer()),
    )
    return { method: 'GET', path, scheme: 'exact', networks: [network], price }
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
  return { app, routes, ready: paid.ready }
}
