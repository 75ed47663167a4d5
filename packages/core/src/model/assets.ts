import { type Asset, findAsset, findTicker } from './asset.js'
import { evmAssets } from './evm-assets.js'
import type { Network } from './network.js'
import { svmAssets } from './svm-assets.js'

/**
 * The assets a network has by default; the first is the one a `$` price means.
 *
 * @example
 * defaultAssets(network('base'))[0]?.symbol // 'USDC'
 */
export function defaultAssets(of: Network): readonly Asset[] {
  return byNetwork.get(of) ?? []
}

/**
 * The default asset with this ticker. `USD` is the network's first asset.
 *
 * @example
 * assetByTicker(network('celo'), 'USDT')?.decimals // 6
 */
export function assetByTicker(of: Network, ticker: string): Asset | undefined {
  return findTicker(defaultAssets(of), of, ticker)
}

/**
 * The default asset at this address, whatever the case of its hex digits.
 *
 * @example
 * assetByAddress(network('base'), '0x833589FCD6EDB6E08F4C7C32D4F71B54BDA02913')?.symbol // 'USDC'
 */
export function assetByAddress(of: Network, address: string): Asset | undefined {
  return findAsset(defaultAssets(of), of, address)
}

const byNetwork = new Map<Network, Asset[]>()
for (const asset of [...evmAssets, ...svmAssets]) {
  byNetwork.set(asset.network, [...(byNetwork.get(asset.network) ?? []), asset])
}
