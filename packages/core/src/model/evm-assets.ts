import type { Asset } from './asset.js'
import { network } from './network.js'

type Row = readonly [chain: string, symbol: string, address: string, decimals: number, name: string, version: string]

const EIP3009: readonly Row[] = [
  ['eip155:8453', 'USDC', '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913', 6, 'USD Coin', '2'],
  ['eip155:84532', 'USDC', '0x036CbD53842c5426634e7929541eC2318f3dCF7e', 6, 'USDC', '2'],
  ['eip155:1', 'USDC', '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48', 6, 'USD Coin', '2'],
  ['eip155:43114', 'USDC', '0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E', 6, 'USD Coin', '2'],
  ['eip155:143', 'USDC', '0x754704Bc059F8C67012fEd69BC8A327a5aafb603', 6, 'USDC', '2'],
  ['eip155:988', 'USDT0', '0x779Ded0c9e1022225f8E0630b35a9b54bE713736', 6, 'USDT0', '1'],
  ['eip155:2201', 'USDT0', '0x78Cf24370174180738C5B8E352B6D14c83a6c9A9', 6, 'USDT0', '1'],
  ['eip155:137', 'USDC', '0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359', 6, 'USD Coin', '2'],
  ['eip155:42161', 'USDC', '0xaf88d065e77c8cC2239327C5EDb3A432268e5831', 6, 'USD Coin', '2'],
  ['eip155:421614', 'USDC', '0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d', 6, 'USD Coin', '2'],
  ['eip155:36900', 'USDC.e', '0x9cb8142aEBBcdc60AF7c97Af897A67A8f3CA71C2', 6, 'USDC.e', '2'],
  ['eip155:190415', 'USDC.e', '0x401eCb1D350407f13ba348573E5630B83638E30D', 6, 'Bridged USDC', '2'],
  ['eip155:181228', 'USDC.e', '0x401eCb1D350407f13ba348573E5630B83638E30D', 6, 'Bridged USDC', '2'],
  ['eip155:50', 'USDC', '0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1', 6, 'USDC', '2'],
  ['eip155:51', 'USDC', '0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4', 6, 'USDC', '2'],
  ['eip155:14', 'USDT0', '0xe7cd86e13AC4309349F30B3435a9d337750fC82D', 6, 'USD₮0', '1'],
  ['eip155:42220', 'USDC', '0xcebA9300f2b948710d2653dD7B07f33A8B32118C', 6, 'USDC', '2'],
  ['eip155:42220', 'USDT', '0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e', 6, 'Tether USD', '1'],
  ['eip155:42220', 'USAT', '0xD2ab3C9A02DBBAB236BfEC45D1d755DF4267F771', 6, 'Tether America USD', '1'],
  ['eip155:11142220', 'USDC', '0x01C5C0122039549AD1493B8220cABEdD739BC44E', 6, 'USDC', '2'],
  ['eip155:1329', 'USDC', '0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392', 6, 'USDC', '2'],
  ['eip155:1328', 'USDC', '0x4fCF1784B31630811181f670Aea7A7bEF803eaED', 6, 'USDC', '2'],
]

const PERMIT2: readonly Row[] = [
  ['eip155:4326', 'MegaUSD', '0xFAfDdbb3FC7688494971a79cc65DCa3EF82079E7', 18, 'MegaUSD', '1'],
  ['eip155:31612', 'mUSD', '0xdD468A1DDc392dcdbEf6db6e34E89AA338F9F186', 18, 'Mezo USD', '1'],
  ['eip155:31611', 'mUSD', '0x118917a40FAF1CD7a13dB0Ef56C86De7973Ac503', 18, 'Mezo USD', '1'],
  ['eip155:723487', 'SBC', '0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb', 6, 'Stable Coin', '1'],
  ['eip155:72344', 'SBC', '0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb', 6, 'Stable Coin', '1'],
  ['eip155:38833', 'USDC', '0xA5b8BF902b2844dA17d4506cc827F7F1681735E7', 6, 'USDC', '1'],
]

function assetsOf(transfer: 'eip3009' | 'permit2', rows: readonly Row[]): readonly Asset[] {
  return rows.map(([chain, symbol, address, decimals, name, version]) => ({
    network: network(chain),
    symbol,
    address,
    decimals,
    transfer,
    domain: { name, version },
  }))
}

// Marked as pure, so that a bundle leaves out the list that it does not use.

/** The default assets on EVM chains that pay by EIP-3009. The EIP-712 domains are those of the deployed tokens. */
export const eip3009Assets: readonly Asset[] = /* @__PURE__ */ assetsOf('eip3009', EIP3009)

const permit2Assets = /* @__PURE__ */ assetsOf('permit2', PERMIT2)

/** The default assets on EVM chains, by chain. The EIP-712 domains are those of the deployed tokens. */
export const evmAssets: readonly Asset[] = /* @__PURE__ */ eip3009Assets.concat(permit2Assets)
