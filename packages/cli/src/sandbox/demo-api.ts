import type { Facilitator, OnEvent, SchemeServer } from '@groat/core'
import { createMemoryClaims, type RouteMode, type SoldRoute } from '@groat/server'
import { paywall } from '@groat/server/hono'
import type { UpgradeListener } from '@groat/server/node'
import { Hono } from 'hono'
import { createDemoPrices } from './demo-prices.js'
import { streamOf } from './demo-stream.js'
import { createDemoWays } from './demo-ways.js'
import type { LocalBooks, LocalNetwork } from './local-network.js'

/** One thing that the demo API sells. */
export type DemoRoute = {
  readonly method: 'GET'
  readonly path: string
  readonly scheme: string
  readonly networks: readonly string[]
  readonly price: string
  /** How it is priced, in a few words. */
  readonly model: string
  readonly mode: RouteMode
  /** Set where what is sold is a socket, and the handshake is what is paid for. */
  readonly websocket?: true
}

/** The demo API: what it sells, and the application that sells it. */
export type DemoApi = {
  readonly app: Hono
  readonly routes: readonly DemoRoute[]
  /** Takes handshakes, by path. */
  readonly sockets: ReadonlyMap<string, UpgradeListener>
  ready(): Promise<void>
  /** What is sold, for the documents that describe it. */
  sold(): Promise<readonly SoldRoute[]>
  stop(): Promise<void>
}

/**
 * Makes the demo API: small answers at small prices, each to be paid on any chain of the sandbox; where a chain has the schemes for it, an answer
 * by the word under a ceiling, a stream by the byte out of a channel, and an order whose money is held until it ships.
 */
export async function createDemoApi(options: {
  readonly networks: readonly LocalNetwork[]
  readonly facilitatorUrl: string
  readonly onEvent: OnEvent
}): Promise<DemoApi> {
  const { networks, facilitatorUrl, onEvent } = options
  const app = new Hono()
  const routes: DemoRoute[] = []
  const open: LocalBooks[] = []
  const parts: Pick<DemoApi, 'ready' | 'sold'>[] = []

  function selling(on: readonly LocalNetwork[], schemes: readonly SchemeServer[], facilitator: string | Facilitator) {
    const paid = paywall({
      facilitator,
      payTo: Object.fromEntries(on.map(({ network, payTo }) => [network, payTo])),
      schemes,
      store: createMemoryClaims({ singleProcess: true }),
      onEvent,
    })
    parts.push(paid)
    return (path: string, price: string, model: string, description: string, mode: 'strict' | 'upfront' = 'strict') => {
      const [scheme] = schemes
      const ids = on.map(({ network }) => network)
      routes.push({ method: 'GET', path, scheme: scheme?.scheme.name ?? '', networks: ids, price, model, mode })
      return paid({ name: `GET ${path}`, price, description, mimeType: 'application/json', mode })
    }
  }

  const sell = selling(
    networks,
    networks.map(({ sells }) => sells),
    facilitatorUrl,
  )
  app.get('/weather', sell('/weather', '$0.001', EACH, 'The weather where this machine stands'), (c) =>
    c.json({ temperature: 11, sky: 'overcast', wind: 'light' }),
  )
  app.get('/report', sell('/report', '$0.05', EACH, 'A quarterly report that nobody has read'), (c) =>
    c.json({ title: 'Quarterly report', pages: 42, summary: 'Revenue is up.' }),
  )

  const metered = networks.filter((network) => network.metered !== undefined)
  if (metered.length > 0) {
    const schemes = metered.flatMap((network) => network.metered?.sells ?? [])
    const upTo = selling(metered, schemes, facilitatorUrl)
    app.get(
      '/chat',
      upTo('/chat', '$0.05', 'per word, below a ceiling', 'An answer by the word: a tenth of a cent for each'),
      (c) => {
        const words = (c.req.query('q') ?? 'what is a groat').split(/\s+/).filter(Boolean).slice(0, 50)
        c.get('payment').charge(1_000n * BigInt(words.length))
        return c.json({ answer: words.toReversed().join(' '), words: words.length })
      },
    )
  }

  for (const network of networks) {
    if (network.channels === undefined) continue
    const channels = await network.channels.open(facilitatorUrl)
    open.push(channels)
    const byChannel = selling([network], [network.channels.sells], channels.facilitator)
    app.get(
      '/stream',
      byChannel(
        '/stream',
        '$0.01',
        'per byte, out of a channel',
        'A stream by the byte: a thousandth of a cent for each',
      ),
      (c) => {
        const payment = c.get('payment')
        return c.body(streamOf(c.req.query('bytes'), (bytes) => payment.charge(10n * BigInt(bytes))))
      },
    )
  }

  for (const network of networks) {
    if (network.holds === undefined) continue
    const holds = await network.holds.open(facilitatorUrl)
    open.push(holds)
    const held = selling([network], [network.holds.sells], holds.facilitator)
    // In escrow before it is ordered.
    const order = held(
      '/order',
      '$0.05',
      'held, captured in part',
      'Five things: the money is held, three ship, and two are not charged',
      'upfront',
    )
    app.get('/order', order, (c) => c.json({ ordered: 5, ships: 3 }))
  }

  const prices = createDemoPrices(options)
  const ways = createDemoWays(options)
  for (const part of [prices, ways]) {
    app.route('/', part.app)
    routes.push(...part.routes)
    parts.push(part)
  }
  return {
    app,
    routes,
    sockets: ways.sockets,
    ready: async () => void (await Promise.all(parts.map((each) => each.ready()))),
    sold: async () => (await Promise.all(parts.map((each) => each.sold()))).flat(),
    stop: async () => void (await Promise.all(open.map((each) => each.stop()))),
  }
}

/** So much for each request. */
const EACH = 'per request'
