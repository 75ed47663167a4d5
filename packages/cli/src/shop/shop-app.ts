import type { ExtensionServer, Facilitator, OnEvent } from '@groat/core'
import { exactEvm } from '@groat/evm/exact/server'
import { plainHeaders } from '@groat/evm/plain-headers/server'
import { uptoEvm } from '@groat/evm/upto/server'
import { bazaar } from '@groat/extensions/bazaar/server'
import { documentAnswers, type ServiceDocument, serviceDocuments } from '@groat/extensions/describe'
import type { RefundRequests } from '@groat/extensions/refund/server'
import type { ClaimStore } from '@groat/server'
// Conditions are read by '@marcbachmann/cel-js', which the server leaves to whoever uses them.
import { createConditions } from '@groat/server/conditions'
import { paywall } from '@groat/server/hono'
import { paywall as nodePaywall, type UpgradeListener } from '@groat/server/node'
import { createPricing } from '@groat/server/pricing'
import { exactSvm } from '@groat/svm/exact/server'
import { Environment } from '@marcbachmann/cel-js'
import { Hono } from 'hono'
import type { PageConfig, ShopConfig } from '../config/shop-config.js'
import { CliError } from '../terminal/exit.js'
import { forward } from './forward.js'
import { forwardUpgrade } from './forward-upgrade.js'
import { checkOrder, paidPaths, router } from './paid-paths.js'
import { problemResponse } from './problem-response.js'
import { sellsChannels } from './shop-channels.js'
import { sellsHolds } from './shop-holds.js'
import { sellsProofs } from './shop-proofs.js'

/** A shop in front of an API. */
export type ShopApp = {
  /** `env`: what the server knows of the connection. */
  readonly fetch: (request: Request, env?: object) => Response | Promise<Response>
  /** Serves a handshake to a route that sells sockets; `undefined`: none is at that path. */
  readonly upgradeAt: (path: string) => UpgradeListener | undefined
  /** Whether a route sells sockets. */
  readonly hasSockets: boolean
  /** Asks the facilitator whether it supports what is offered. */
  ready(): Promise<void>
  /** The documents that describe it; none unless the file wants them. Asks the facilitator as `ready` does. */
  documents(): Promise<readonly ServiceDocument[]>
}

/** What is said where a socket is sold and none is asked for. */
const SOCKET = {
  status: 426,
  detail: 'a WebSocket is sold here: ask for an upgrade',
  headers: { upgrade: 'websocket' },
}

const pricing = createPricing({ conditions: createConditions(Environment) })

/** What a shop works with. */
export type ShopParts = {
  readonly facilitator: Facilitator
  readonly claims: ClaimStore
  readonly extensions: readonly ExtensionServer[]
  /** What payers ask for their money back with. */
  readonly refundRequests?: RefundRequests | undefined
  readonly onEvent: OnEvent
}

/**
 * Puts prices before the routes of an API. Throws `X402Error` for what is wrong with a price, an account or a mode, with the route.
 */
export async function createShopApp(config: ShopConfig, parts: ShopParts): Promise<ShopApp> {
  const { facilitator, claims, extensions, refundRequests: asked, onEvent } = parts
  const { payTo, origin, routes, rest, page, holds, channels, describe } = config
  const options = {
    facilitator,
    payTo,
    schemes: [
      exactEvm,
      exactSvm,
      uptoEvm,
      ...(holds ? [sellsHolds(holds)] : []),
      ...(channels ? [sellsChannels(channels)] : []),
      ...sellsProofs(config),
    ],
    dialects: [plainHeaders],
    store: claims,
    pricing,
    onEvent,
    extensions: [bazaar, ...extensions, ...(asked ? [asked.extension] : [])],
    ...(config.bazaar ? { everywhere: { bazaar: true } } : {}),
    ...(origin === undefined ? {} : { origin }),
    ...(page === undefined ? {} : { page: await pageOf(page) }),
  }
  const paid = paywall(options)
  const socketPaid = nodePaywall(options)
  const sockets = router<UpgradeListener>()
  const app = new Hono()
  const paidAt = paidPaths(routes)
  checkOrder(routes)
  // What some server may take for a paid path goes nowhere, whatever route it is spelled for, unless it is that path itself.
  app.use(async (c, next) => (paidAt.isDisguised(c.req.path) ? c.notFound() : next()))
  for (const { method, path, terms, websocket = false } of routes) {
    if (terms !== undefined && websocket) {
      const listener = socketPaid.upgrade(terms, (req, socket, head, payment) =>
        forwardUpgrade({ req, socket, head }, config, payment),
      )
      sockets.add('GET', path, listener)
      app.on(method, path, () => problemResponse('not_found', SOCKET))
    } else if (terms === undefined) app.on(method, path, (c) => forward(c.req.raw, config))
    else app.on(method, path, paid(terms), (c) => forward(c.req.raw, config, c.get('payment')))
  }
  if (rest === 'free') app.all('*', (c) => forward(c.req.raw, config))
  const hasSockets = routes.some(({ websocket }) => websocket)
  app.notFound(() => problemResponse('not_found'))
  app.onError(() => problemResponse('handler_failed'))
  let answer: ReturnType<typeof documentAnswers> = () => undefined
  const documents = async (): Promise<readonly ServiceDocument[]> => {
    if (describe === undefined || origin === undefined) return []
    const sold = await paid.sold()
    const opened = hasSockets ? (await socketPaid.sold()).map((route) => ({ ...route, websocket: true })) : []
    const free = routes.filter(({ terms }) => terms === undefined)
    const given = free.map(({ method, path }) => ({ method, path, about: {}, offers: [], free: true }))
    return serviceDocuments({ ...describe, origin: origin.replace(/\/+$/, ''), routes: [...sold, ...opened, ...given] })
  }
  return {
    async fetch(request, env) {
      return answer(request) ?? (await asked?.answer(request)) ?? app.fetch(request, env)
    },
    documents,
    hasSockets,
    upgradeAt: (path) => (hasSockets && !paidAt.isDisguised(path) ? sockets.match('GET', path)[0][0]?.[0] : undefined),
    async ready() {
      await paid.ready()
      if (hasSockets) await socketPaid.ready()
      const made = await documents()
      // What the shop sells under such a path stays its own.
      const taken = new Set(routes.map(({ path }) => path))
      answer = documentAnswers(made.filter(({ path }) => !taken.has(path)))
    },
  }
}

/** The page for people; loaded only where one is shown, and in a clone built by the whole build alone. */
async function pageOf(page: PageConfig) {
  try {
    const { paywallPage } = await import('@groat/server/page')
    return paywallPage(page)
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw cause
    throw new CliError('no', 'The page to pay on is not built yet', 'In a clone: npm run build.', { cause })
  }
}
