import type { Asset } from './asset.js'
import { network } from './network.js'

const SPL: readonly (readonly [chain: string, symbol: string, mint: string, transfer: 'spl' | 'spl-2022'])[] = [
  ['solana', 'USDC', 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v', 'spl'],
  ['solana', 'USDT', 'Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB', 'spl'],
  ['solana', 'USDG', '2u1tszSeqZ3qBWF3uNGPFc8TzMk2tdiwknnRMWGWjGWH', 'spl-2022'],
  ['solana', 'PYUSD', '2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo', 'spl-2022'],
  ['solana', 'CASH', 'CASHx9KJUStyftLFWGvEVf59SGeG9sh5FfcnZMVPCASH', 'spl-2022'],
  ...['solana-devnet', 'solana-testnet'].flatMap((chain) => [
    [chain, 'USDC', '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU', 'spl'] as const,
    [chain, 'USDG', '4F6PM96JJxngmHnZLBh9n58RH4aTVNWvDs2nuwrT5BP7', 'spl-2022'] as const,
    [chain, 'PYUSD', 'CXk2AMBfi3TwaEL2468s6zP8xq9NxTXjp9gjMgzeUynM', 'spl-2022'] as const,
  ]),
]

/** The default assets on Solana, by cluster. */
export const svmAssets: readonly Asset[] = SPL.map(([chain, symbol, address, transfer]) => ({
  network: network(chain),
  symbol,
  address,
  decimals: 6,
  transfer,
}))
