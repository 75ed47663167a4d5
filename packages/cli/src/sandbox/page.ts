import { readFile } from 'node:fs/promises'
import type { Network } from '@groat/core'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { problemResponse } from '../shop/problem-response.js'
import { CliError } from '../terminal/exit.js'
import type { DemoRoute } from './demo-api.js'
import type { Feed } from './feed.js'
import type { ReadyChains } from './local-network.js'

/** What the page shows besides payments. */
export type PageState = {
  readonly routes: readonly DemoRoute[]
  /** The chains that are running, and what people call them. */
  readonly networks: readonly { readonly id: Network; readonly name: string }[]
  readonly accounts: readonly {
    readonly role: string
    readonly network: string
    readonly address: string
    readonly usdc: string
    readonly coin: string
  }[]
  readonly services: Readonly<Record<string, string>>
}

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"

/**
 * The page of a sandbox: accounts, balances, and payments as they happen. `buy` lets the sandbox's own payer buy a route, so that a
 * person without a wallet sees a payment too.
 */
export function createPage(options: {
  readonly state: () => Promise<PageState>
  readonly feed: Feed
  readonly ready: () => Partial<ReadyChains>
  readonly buy: (path: string, network: Network) => Promise<object>
}): Hono {
  const { state, feed, ready, buy } = options
  const page = new Hono()
  const file = (path: string, name: string, type: string) =>
    page.get(path, async (c) =>
      c.body(await readFile(new URL(`../../assets/${name}`, import.meta.url), 'utf8'), 200, {
        'content-type': `${type}; charset=utf-8`,
        'content-security-policy': POLICY,
        'cache-control': 'no-store',
      }),
    )
  file('/', 'sandbox.html', 'text/html')
  file('/sandbox/page.css', 'sandbox.css', 'text/css')
  file('/sandbox/page.js', 'sandbox.js', 'text/javascript')

  page.get('/sandbox/ready', (c) => c.json(ready()))
  // The file that `groat wallet session` takes.
  page.get('/sandbox/contracts.json', (c) => {
    const { delegation } = ready().evm ?? {}
    return delegation === undefined ? problemResponse('not_found') : c.json(delegation)
  })
  page.get('/sandbox/state', async (c) => c.json(await state()))

  page.get('/sandbox/events', (c) =>
    streamSSE(c, async (stream) => {
      const send = (event: string, data: unknown) => stream.writeSSE({ event, data: JSON.stringify(data) })
      await send('state', await state())
      for (const news of feed.recent()) await send('payment', news)
      // One write after the other, in the order in which things happened.
      let last: Promise<unknown> = Promise.resolve()
      const stop = feed.follow((news) => {
        last = last
          .then(async () => {
            await send('payment', news)
            await send('state', await state())
          })
          .catch(() => stream.abort())
      })
      await new Promise<void>((resolve) => stream.onAbort(resolve))
      stop()
      await last
    }),
  )

  page.post('/sandbox/buy', async (c) => {
    // Only the page itself may spend, even if it is test money: a form of another site cannot send this type.
    if (c.req.header('content-type') !== 'application/json') return c.json({ error: 'send application/json' }, 415)
    const body: unknown = await c.req.json().catch(() => undefined)
    const { path, network } = typeof body === 'object' ? { path: undefined, network: undefined, ...body } : {}
    const { routes, networks } = await state()
    if (!routes.some((route) => route.path === path)) return c.json({ error: 'nothing is sold there' }, 404)
    const route = routes.find((each) => each.path === path)
    const on = networks.find(({ id }) => (network === undefined ? route?.networks.includes(id) : id === network))
    if (on === undefined) return c.json({ error: 'that chain is not running' }, 404)
    if (!route?.networks.includes(on.id)) return c.json({ error: 'it is not sold on that chain' }, 404)
    try {
      return c.json(await buy(String(path), on.id))
    } catch (error) {
      return c.json({ error: error instanceof CliError ? error.message : 'it could not be bought' }, 502)
    }
  })
  return page
}
