import { assetByAddress, formatUnits, network as networkOf } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { type EvmChain, startEvmChain } from '@groat/sandbox'
import { openMemoryStore } from '@groat/store'
import { Hono } from 'hono'
import { createBuyer, type Purchase } from './buyer.js'
import { createDemoApi, type DemoRoute } from './demo-api.js'
import { createFeed, newsOf } from './feed.js'
import { createPage } from './page.js'
import { serveLocally } from './serve.js'

/** How a sandbox is started. */
export type SandboxOptions = {
  /** Port of the API; the facilitator and the chain take the next two. 0 takes free ones. */
  readonly port?: number
  /** Whether there is a paid API with its page. Default true. */
  readonly demo?: boolean
  /** Told what is being started. */
  readonly onProgress?: (what: string) => void
}

/** What a ready sandbox says of itself: the line of `groat sandbox --json`. */
export type ReadyLine = {
  readonly evm: {
    readonly rpcUrl: string
    readonly chainId: number
    readonly network: string
    readonly usdc: string
    readonly multicall3: string
    readonly permit2: string
  }
  readonly facilitator: { readonly url: string }
  readonly api?: { readonly url: string; readonly routes: readonly DemoRoute[] }
  readonly accounts: readonly {
    readonly role: string
    readonly evm: { readonly address: string; readonly privateKey: string }
  }[]
}

/** A running sandbox. */
export type Sandbox = {
  readonly ready: ReadyLine
  /** Buys a route of the demo API with the sandbox's own payer. */
  buy(path: string): Promise<Purchase>
  /** Stops everything that was started. */
  stop(): Promise<void>
}

/**
 * Starts a local chain with funded accounts, a facilitator that settles on it, and an API that is paid through it.
 * Everything is real but the money. Throws `SandboxError` when the chain does not start and an error that names the port when one is
 * taken; what was started until then is stopped.
 *
 * @example
 * const sandbox = await startSandbox({ port: 0 })
 * console.log(sandbox.ready.facilitator.url)
 * await sandbox.stop()
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, demo = true, onProgress = () => {} } = options
  const started: (() => Promise<unknown>)[] = []
  const stop = async () => {
    while (started.length > 0) await started.pop()?.()
  }
  const nth = (offset: number) => (port === 0 ? 0 : port + offset)
  try {
    onProgress('EVM chain')
    const chain = await startEvmChain({ port: nth(2), blockTime: 1 })
    started.push(() => chain.stop())

    onProgress('facilitator')
    const facilitator = await startFacilitator(chain, nth(1), started)

    const buyer = createBuyer(chain.account('payer'))
    const { network, chainId, rpcUrl, usdc, multicall3, permit2 } = chain
    const common = {
      evm: { rpcUrl, chainId, network, usdc, multicall3, permit2 },
      facilitator: { url: facilitator.url },
      accounts: chain.accounts.map(({ role, address, privateKey }) => ({ role, evm: { address, privateKey } })),
    }
    if (!demo) return { ready: common, buy: buyer.buy, stop }

    onProgress('paid API')
    const api = await startApi(chain, facilitator.url, nth(0), buyer.buy)
    started.push(() => api.close())
    return {
      ready: { ...common, api: { url: api.url, routes: api.routes } },
      buy: (path) => buyer.buy(api.url + path),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startFacilitator(chain: EvmChain, port: number, started: (() => Promise<unknown>)[]) {
  const evm = await createEvmChain({
    network: networkOf(chain.network),
    rpc: chain.rpcUrl,
    signers: [chain.account('facilitator').privateKey],
  })
  // In memory: a sandbox leaves nothing behind, and its chain forgets everything too.
  const store = await openMemoryStore()
  started.push(() => store.close())
  const service = createFacilitator({ schemes: [exactEvm({ chains: [evm] })], store })
  await service.start()
  started.push(() => service.stop())
  const served = await serveFacilitator(service, { host: '127.0.0.1', port })
  started.push(() => served.close())
  return served
}

async function startApi(
  chain: EvmChain,
  facilitatorUrl: string,
  port: number,
  buy: (url: string) => Promise<Purchase>,
) {
  const network = networkOf(chain.network)
  const decimals = assetByAddress(network, chain.usdc)?.decimals ?? 0
  const feed = createFeed()
  const onEvent = (event: Parameters<typeof newsOf>[0]) => {
    const news = newsOf(event, (atomic) => formatUnits(atomic, decimals))
    if (news) feed.add(news)
  }
  const demo = createDemoApi({ network, payTo: chain.account('seller').address, facilitatorUrl, onEvent })
  await demo.ready()

  const shown = chain.accounts.filter(({ role }) => ['payer', 'seller', 'facilitator'].includes(role))
  const accounts = () =>
    Promise.all(
      shown.map(async ({ role, address }) => {
        const [usdc, wei] = await Promise.all([chain.balance(address), chain.nativeBalance(address)])
        return { role, address, usdc: formatUnits(usdc, decimals), eth: formatUnits(wei, 18).slice(0, 10) }
      }),
    )
  const app = new Hono()
  const served = await serveLocally(app.fetch, port)
  const services = {
    API: served.url,
    Facilitator: facilitatorUrl,
    'EVM chain': chain.rpcUrl,
    Network: chain.network,
    USDC: chain.usdc,
  }
  const page = createPage({
    feed,
    state: async () => ({ routes: demo.routes, accounts: await accounts(), services }),
    buy: (path) => buy(served.url + path),
  })
  app.route('/', page)
  app.route('/', demo.app)
  return { ...served, routes: demo.routes }
}
