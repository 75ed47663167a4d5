import { assetByAddress, formatUnits, v1NameOf } from '@groat/core'
import type { DescribedOffer, DescribedRoute } from './service.js'

/** An offer's price for people: `0.001 USDC on base-sepolia`. */
export function priceWords({ requirements, ceiling = false }: DescribedOffer): string {
  const { network, asset: address, amount } = requirements
  const asset = assetByAddress(network, address)
  const money =
    asset === undefined
      ? `${amount} atomic units of ${address}`
      : `${formatUnits(amount, asset.decimals)} ${asset.symbol}`
  return `${ceiling ? 'up to ' : ''}${money} on ${v1NameOf(network) ?? network}`
}

/** What a route costs, for people. */
export function routePrice({ free = false, price, offers }: DescribedRoute): string {
  if (free) return 'free'
  const words = [...new Set(offers.map(priceWords))].join(', or ')
  return words || price || 'depends on the request'
}
