import { type Facilitator, networkFamily, type OnEvent } from '@groat/core'
import { plainHeaders } from '@groat/evm/plain-headers/server'
import { createFacilitatorClient, createMemoryClaims, type SoldRoute } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { paywall as nodePaywall, type UpgradeListener } from '@groat/server/node'
import { Hono } from 'hono'
import { problemResponse } from '../shop/problem-response.js'
import type { DemoRoute } from './demo-api.js'
import type { DemoPart } from './demo-prices.js'
import { socketSaying } from './demo-socket.js'
import type { LocalNetwork } from './local-network.js'

/** Sells in every other way to ask and to pay: for a socket, for a transfer that was made, in plain headers, and to session keys; the last three where a chain has them. */
export function createDemoWays(options: {
  readonly networks: readonly LocalNetwork[]
  readonly facilitatorUrl: string
  readonly onEvent: OnEvent
}): DemoPart & { readonly sockets: ReadonlyMap<string, UpgradeListener> } {
  const { networks, facilitatorUrl, onEvent } = options
  const app = new Hono()
  const routes: DemoRoute[] = []
  const parts: Pick<DemoPart, 'ready' | 'sold'>[] = []
  const ids = networks.map(({ network }) => network)
  const common = {
    facilitator: facilitatorUrl,
    payTo: Object.fromEntries(networks.map(({ network, payTo }) => [network, payTo])),
    schemes: networks.map(({ sells }) => sells),
    onEvent,
  }

  const socketPaid = nodePaywall({ ...common, store: createMemoryClaims({ singleProcess: true }) })
  const listener = socketPaid.upgrade(
    { name: 'GET /socket', price: '$0.002', description: 'A socket that says three things' },
    socketSaying('one', 'two', 'three'),
  )
  const sockets = new Map([['/socket', listener]])
  const about = { method: 'GET', path: '/socket', scheme: 'exact', networks: ids, price: '$0.002' } as const
  routes.push({ ...about, model: 'per WebSocket', mode: 'upfront', websocket: true })
  const detail = 'a WebSocket is sold here: ask for an upgrade'
  app.get('/socket', () => problemResponse('not_found', { status: 426, detail, headers: { upgrade: 'websocket' } }))
  parts.push({
    ready: socketPaid.ready,
    sold: async () => (await socketPaid.sold()).map((route): SoldRoute => Object.assign(route, { websocket: true })),
  })

  const proven = networks.filter((chain) => chain.proofs !== undefined)
  const on = (chains: readonly LocalNetwork[]) => ({
    ...common,
    payTo: Object.fromEntries(chains.map(({ network, payTo }) => [network, payTo])),
    store: createMemoryClaims({ singleProcess: true }),
  })
  const [first] = proven
  if (first?.proofs !== undefined) {
    const facilitator: Facilitator = createFacilitatorClient(facilitatorUrl)
    const scheme = first.proofs.sells.scheme.name
    const paid = paywall({
      ...on(proven),
      facilitator: proven.reduce((all, { proofs }) => proofs?.withProofs(all) ?? all, facilitator),
      schemes: proven.flatMap(({ sells, proofs }) => (proofs ? [sells, proofs.sells] : [])),
    })
    // Who sends the money itself costs the seller no settlement.
    const offers = proven.flatMap(({ network }) => [
      { network, price: '$0.002' },
      { network, price: '$0.001', scheme },
    ])
    app.get('/proof', paid({ name: 'GET /proof', offers, description: 'For a transfer that was made' }), (c) =>
      c.json({ paidBy: c.get('payment').payer }),
    )
    const networks = proven.map(({ network }) => network)
    const model = 'proof of a transfer'
    routes.push({ method: 'GET', path: '/proof', scheme, networks, price: '$0.001', model, mode: 'strict' })
    parts.push(paid)
  }
  const spoken = networks.filter(({ network }) => networkFamily(network) === 'eip155')
  if (spoken.length > 0) {
    const paid = paywall({ ...on(spoken), dialects: [plainHeaders], schemes: spoken.map(({ sells }) => sells) })
    app.get('/plain', paid({ name: 'GET /plain', price: '$0.002', dialects: ['plain-headers'] }), (c) => c.text('paid'))
    const networks = spoken.map(({ network }) => network)
    const model = 'per request, in plain headers'
    routes.push({ method: 'GET', path: '/plain', scheme: 'exact', networks, price: '$0.002', model, mode: 'strict' })
    parts.push(paid)
  }
  for (const { network, payTo, sells, delegates } of networks) {
    if (!delegates) continue
    const paid = paywall({
      facilitator: facilitatorUrl,
      payTo: { [network]: payTo },
      schemes: [sells],
      store: createMemoryClaims({ singleProcess: true }),
      onEvent,
    })
    // Who has a key pays as everywhere; who has a session key pays by delegation.
    const offers = [{ price: '$0.002' }, { price: '$0.002', extra: { assetTransferMethod: 'erc7710' } }]
    app.get('/errand', paid({ name: 'GET /errand', offers, description: 'An errand, also by session key' }), (c) =>
      c.json({ bought: 'a loaf', for: c.get('payment').payer }),
    )
    const on = { method: 'GET', networks: [network], mode: 'strict' } as const
    routes.push({ ...on, path: '/errand', scheme: 'exact', price: '$0.002', model: 'per request, also by session key' })
    parts.push(paid)
  }
  return {
    app,
    routes,
    sockets,
    ready: async () => void (await Promise.all(parts.map((part) => part.ready()))),
    sold: async () => (await Promise.all(parts.map((part) => part.sold()))).flat(),
  }
}
