import { type Network, v1NameOf } from '@groat/core'
import { documentAnswers, serviceDocuments } from '@groat/extensions/describe'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { openMemoryStore } from '@groat/store'
import { Hono } from 'hono'
import { problemResponse } from '../shop/problem-response.js'
import { namingPort } from '../terminal/taken-port.js'
import { announceSandbox } from './announce.js'
import { type Buyer, createBuyer, type Purchase } from './buyer.js'
import { createDemoApi, type DemoRoute } from './demo-api.js'
import { startEvmNetwork } from './evm-network.js'
import { createFeed, newsOf } from './feed.js'
import type { AccountKeys, LocalNetwork, ReadyChains } from './local-network.js'
import { createPage } from './page.js'
import { serveLocally } from './serve.js'
import { startSvmNetwork } from './svm-network.js'

/** A chain family that a sandbox can start. */
export type Family = keyof ReadyChains

/** How a sandbox is started. */
export type SandboxOptions = {
  /** Port of the API; facilitator, EVM chain, Solana's JSON-RPC and its WebSocket take the next four. 0 takes free ones. */
  readonly port?: number
  /** The one chain to start. Default: both. */
  readonly only?: Family
  /** Whether there is a paid API with its page. Default true. */
  readonly demo?: boolean
  /** Told what is being started. */
  readonly onProgress?: (what: string) => void
}

/** What a ready sandbox says of itself: the line of `groat sandbox --json`. */
export type ReadyLine = Partial<ReadyChains> & {
  readonly facilitator: { readonly url: string }
  readonly api?: { readonly url: string; readonly routes: readonly DemoRoute[] }
  readonly accounts: readonly ({ readonly role: string } & AccountKeys)[]
}

/** A running sandbox. */
export type Sandbox = {
  readonly ready: ReadyLine
  /** The chains that run. */
  readonly networks: readonly Network[]
  /** Buys a route of the demo API with the sandbox's own payer on one of the chains; the first unless told. */
  buy(path: string, network?: Network): Promise<Purchase>
  /** Stops everything that was started. */
  stop(): Promise<void>
}

const starters = {
  evm: { name: 'EVM chain', start: startEvmNetwork, port: 2 },
  svm: { name: 'Solana chain', start: startSvmNetwork, port: 3 },
} as const

/**
 * Starts local chains with funded accounts, a facilitator that settles on them, and an API that is paid through it.
 * Everything is real but the money. Throws `SandboxError` when a chain does not start and an error that names the port when one is
 * taken; what was started until then is stopped.
 *
 * @example
 * const sandbox = await startSandbox({ port: 0 })
 * console.log(sandbox.ready.facilitator.url)
 * await sandbox.stop()
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, demo = true, only, onProgress = () => {} } = options
  const started: (() => Promise<unknown>)[] = []
  const stop = async () => {
    while (started.length > 0) await started.pop()?.()
  }
  const nth = (offset: number) => (port === 0 ? 0 : port + offset)
  try {
    const families = only === undefined ? (['evm', 'svm'] as const) : ([only] as const)
    const networks = await allOrNone(
      families.map(async (family) => {
        const { name, start, port: offset } = starters[family]
        onProgress(name)
        const network: LocalNetwork = await start(nth(offset))
        started.push(() => network.stop())
        return network
      }),
    )
    onProgress('facilitator')
    const facilitator = await startFacilitator(networks, nth(1), started)
    started.push(await announceSandbox(facilitator.url, nodesOf(networks)))

    const buyer = createBuyer(networks)
    const common = {
      ...Object.assign({}, ...networks.map(({ ready }) => ready)),
      facilitator: { url: facilitator.url },
      accounts: accountsOf(networks),
    }
    const ids = networks.map(({ network }) => network)
    const [first] = ids
    const on = (url: string, network = first, websocket = false) => {
      if (network === undefined) throw new TypeError('a sandbox has a chain')
      return buyer.buy(url, network, websocket)
    }
    if (!demo) return { ready: common, networks: ids, buy: (url, network) => on(url, network), stop }

    onProgress('paid API')
    const api = await startApi({ networks, ready: common, port: nth(0), buyer })
    started.push(api.stop, () => api.close())
    return {
      ready: api.ready,
      networks: ids,
      buy: (path, network) => on(api.url + path, network, api.opens(path)),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const nodesOf = (networks: readonly LocalNetwork[]) =>
  Object.fromEntries(networks.flatMap(({ ready, rpcUrl }) => Object.keys(ready).map((family) => [family, rpcUrl])))

/** Waits for all of them, also when one fails: what starts late has to be stopped too. */
async function allOrNone<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

function accountsOf(networks: readonly LocalNetwork[]): ReadyLine['accounts'] {
  const byRole = new Map<string, { readonly role: string } & AccountKeys>()
  for (const { role, keys } of networks.flatMap(({ accounts }) => accounts)) {
    byRole.set(role, { ...byRole.get(role), role, ...keys })
  }
  return [...byRole.values()]
}

async function startFacilitator(networks: readonly LocalNetwork[], port: number, started: (() => Promise<unknown>)[]) {
  // In memory: a sandbox leaves nothing behind, and its chains forget everything too.
  const store = await openMemoryStore()
  started.push(() => store.close())
  const service = createFacilitator({
    schemes: networks.flatMap(({ settles, metered, channels, holds }) => [
      settles,
      ...(metered ? [metered.settles] : []),
      ...(channels ? [channels.settles] : []),
      ...(holds ? [holds.settles] : []),
    ]),
    store,
  })
  await service.start()
  started.push(() => service.stop())
  const served = await serveFacilitator(service, { host: '127.0.0.1', port }).catch((error: unknown) =>
    Promise.reject(namingPort(error)),
  )
  started.push(() => served.close())
  return served
}

async function startApi({
  networks,
  ready,
  port,
  buyer,
}: {
  readonly networks: readonly LocalNetwork[]
  readonly ready: ReadyLine
  readonly port: number
  readonly buyer: Buyer
}) {
  const feed = createFeed()
  const demo = await createDemoApi({
    networks,
    facilitatorUrl: ready.facilitator.url,
    onEvent(event) {
      const news = newsOf(event)
      if (news) feed.add(news)
    },
  })
  await demo.ready()

  const names = networks.map(({ network }) => ({ id: network, name: v1NameOf(network) ?? network }))
  const shown = networks.flatMap(({ network, accounts }) =>
    accounts
      .filter(({ role }) => ['payer', 'seller', 'facilitator'].includes(role))
      .map((account) => ({ ...account, network: v1NameOf(network) ?? network })),
  )
  const accounts = () =>
    Promise.all(
      shown.map(async ({ role, network, address, balances }) => ({ role, network, address, ...(await balances()) })),
    )
  const app = new Hono()
  app.notFound(() => problemResponse('not_found'))
  const served = await serveLocally(app.fetch, port)
  served.onUpgrade((req, socket, head) => {
    const isSocket = /^websocket$/i.test(req.headers.upgrade ?? '')
    const [path = ''] = (req.url ?? '').split('?', 1)
    const listener = isSocket ? demo.sockets.get(path) : undefined
    listener?.(req, socket, head)
    return listener !== undefined
  })
  const all: ReadyLine = { ...ready, api: { url: served.url, routes: demo.routes } }
  const services = {
    API: served.url,
    Facilitator: ready.facilitator.url,
    ...Object.fromEntries(networks.map(({ network, rpcUrl }) => [v1NameOf(network) ?? network, rpcUrl])),
  }
  const page = createPage({
    feed,
    ready: () => all,
    state: async () => ({ routes: demo.routes, networks: names, accounts: await accounts(), services }),
    buy: (path, network) => buyer.buy(served.url + path, network, demo.sockets.has(path)),
  })
  // `groat find --site` reads what others would read of a shop.
  const documents = serviceDocuments({
    origin: served.url,
    title: 'Groat sandbox',
    description: 'Small answers at small prices, in test money',
    routes: await demo.sold(),
  })
  const describe = documentAnswers(documents)
  app.use(async (c, next) => describe(c.req.raw) ?? (await next()))
  app.route('/', page)
  app.route('/', demo.app)
  return { ...served, ready: all, opens: (path: string) => demo.sockets.has(path), stop: demo.stop }
}
