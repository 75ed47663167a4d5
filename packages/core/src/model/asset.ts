import { sameAddress } from './address.js'
import type { Network } from './network.js'

/** A token that can be paid with, as our own registry knows it. Nothing here is ever taken from a peer. */
export type Asset = {
  readonly network: Network
  /** Ticker, for people and for prices such as `0.5 EURC`. */
  readonly symbol: string
  /** Contract address or mint. */
  readonly address: string
  /** Digits after the point of one whole unit. */
  readonly decimals: number
  /** How the token is moved when a scheme leaves the choice open. On Solana: by which of the two token programs. */
  readonly transfer: 'eip3009' | 'permit2' | 'spl' | 'spl-2022'
  /** The token's EIP-712 domain; absent where the token has none that a payer signs in. */
  readonly domain?: { readonly name: string; readonly version: string }
}

/**
 * The asset at this address, whatever the case of its hex digits.
 *
 * @example
 * findAsset(evmAssets, network('base'), '0x833589FCD6EDB6E08F4C7C32D4F71B54BDA02913')?.symbol // 'USDC'
 */
export function findAsset(assets: readonly Asset[], of: Network, address: string): Asset | undefined {
  return assets.find((asset) => asset.network === of && sameAddress(asset.address, address))
}

/**
 * The asset with this ticker, in any case. `USD`, written so, is the first one on the network.
 *
 * @example
 * findTicker(evmAssets, network('celo'), 'USDT')?.decimals // 6
 */
export function findTicker(assets: readonly Asset[], of: Network, ticker: string): Asset | undefined {
  const symbol = ticker.toUpperCase()
  return assets.find((asset) => asset.network === of && (ticker === 'USD' || asset.symbol.toUpperCase() === symbol))
}
