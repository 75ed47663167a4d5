import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { expect, test } from 'vitest'
import { sameAddress } from './address.js'
import type { Asset } from './asset.js'
import { assetByAddress, assetByTicker, defaultAssets } from './assets.js'
import { network, networkReference } from './network.js'

// The first eight bytes of the separator that each deployed token answers with.
const SEPARATORS: readonly (readonly [chain: string, symbol: string, separator: string])[] = [
  ['eip155:8453', 'USDC', '02fa7265e7c5d811'],
  ['eip155:84532', 'USDC', '71f17a3b2ff373b8'],
  ['eip155:1', 'USDC', '06c37168a7db5138'],
  ['eip155:43114', 'USDC', 'bbea200329a938bc'],
  ['eip155:4326', 'MegaUSD', '26e1aa8b35bf8653'],
  ['eip155:143', 'USDC', 'fe22123edc0dd4ae'],
  ['eip155:988', 'USDT0', 'f21cc02b28f1a6c8'],
  ['eip155:2201', 'USDT0', '8ab6d6926f29d5cf'],
  ['eip155:137', 'USDC', 'caa2ce1a5703ccbe'],
  ['eip155:42161', 'USDC', '08d11903f8419e68'],
  ['eip155:421614', 'USDC', '85944e1292d00773'],
  ['eip155:31612', 'mUSD', '0a43819914359cf0'],
  ['eip155:31611', 'mUSD', '6f9f5c5d441374bd'],
  ['eip155:723487', 'SBC', 'ad9d505934aea9cf'],
  ['eip155:72344', 'SBC', '153e02f2c4163dc3'],
  ['eip155:36900', 'USDC.e', '4369b2ef8a73be96'],
  ['eip155:190415', 'USDC.e', 'ec205e80d13812cd'],
  ['eip155:181228', 'USDC.e', '770326a81f629cc1'],
  ['eip155:50', 'USDC', 'e3bb44ae105af7e2'],
  ['eip155:51', 'USDC', '3835afe643ce123f'],
  ['eip155:38833', 'USDC', '28bce74a6cc06fa8'],
  ['eip155:14', 'USDT0', '4c53d754dcb2f406'],
  ['eip155:42220', 'USDC', 'b2ce31d2838445fa'],
  ['eip155:42220', 'USDT', 'bcb4d62e4834b598'],
  ['eip155:42220', 'USAT', 'e6bbb7920a85afd4'],
  ['eip155:11142220', 'USDC', '23f491197bb8c5ea'],
  ['eip155:1329', 'USDC', '0a19136106ae98d2'],
  ['eip155:1328', 'USDC', '154bb5980ce1d584'],
]

test.each(SEPARATORS)(
  'the EIP-712 domain of %s %s hashes to the separator of the deployed token',
  (chain, symbol, separator) => {
    const asset = assetByTicker(network(chain), symbol)
    expect(asset && domainSeparator(asset).slice(0, 16)).toBe(separator)
  },
)

test('every asset of the table has its separator pinned', () => {
  const chains = new Set(SEPARATORS.map(([chain]) => chain))
  const assets = [...chains].flatMap((chain) => defaultAssets(network(chain)))
  expect(assets.length).toBe(SEPARATORS.length)
})

test('assets are found by ticker and by address in any case', () => {
  const base = network('base')
  const usdc = assetByTicker(base, 'usd c')
  expect(usdc).toBeUndefined()
  expect(assetByTicker(base, 'usd')).toBeUndefined()
  expect(assetByTicker(base, 'USD')).toBe(assetByTicker(base, 'usdc'))
  expect(assetByAddress(base, '0X833589FCD6EDB6E08F4C7C32D4F71B54BDA02913')).toBe(assetByTicker(base, 'USD'))
  expect(assetByAddress(network('base-sepolia'), '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913')).toBeUndefined()
  expect(defaultAssets(network('eip155:999999'))).toEqual([])
  expect(
    sameAddress('So11111111111111111111111111111111111111112', 'so11111111111111111111111111111111111111112'),
  ).toBe(false)
})

test('Solana has its assets under the token program that made them', () => {
  const rows = (name: string) => defaultAssets(network(name)).map(({ symbol, transfer }) => `${symbol} ${transfer}`)
  expect(rows('solana')).toEqual(['USDC spl', 'USDT spl', 'USDG spl-2022', 'PYUSD spl-2022', 'CASH spl-2022'])
  expect(rows('solana-devnet')).toEqual(['USDC spl', 'USDG spl-2022', 'PYUSD spl-2022'])
  expect(rows('solana-testnet')).toEqual(rows('solana-devnet'))
})

/** Written out here on its own: the production hashing must not certify its own table. */
function domainSeparator({ network: of, address, domain }: Asset): string {
  const word = (bytes: Uint8Array) => bytesToHex(bytes).padStart(64, '0')
  const hashed = (text: string) => word(keccak_256(utf8ToBytes(text)))
  const chainId = BigInt(networkReference(of)).toString(16).padStart(64, '0')
  const typeHash = hashed('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')
  const body =
    typeHash + hashed(domain?.name ?? '') + hashed(domain?.version ?? '') + chainId + word(hexToBytes(address.slice(2)))
  return bytesToHex(keccak_256(hexToBytes(body)))
}
