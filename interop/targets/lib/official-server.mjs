import { HTTPFacilitatorClient, x402ResourceServer } from '@x402/core/server'
import { ExactEvmScheme } from '@x402/evm/exact/server'
import { ExactSvmScheme } from '@x402/svm/exact/server'
import { paths, sale } from './shop.mjs'

/** The official resource server and its routes, for the middleware of a framework. */
export async function officialShop() {
  const { facilitator, network, payTo, asset, amount, isSolana } = sale
  const scheme = isSolana ? new ExactSvmScheme() : new ExactEvmScheme()
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator })).register(network, scheme)
  await server.initialize()
  const extra = isSolana ? {} : { extra: { name: 'USDC', version: '2' } }
  const accepts = { scheme: 'exact', network, payTo, price: { asset, amount, ...extra }, maxTimeoutSeconds: 60 }
  return { server, routes: Object.fromEntries(paths.map((path) => [`GET ${path}`, { accepts }])) }
}
