import {
  type Chain,
  createTestClient,
  defineChain,
  type HttpTransport,
  http,
  type PublicActions,
  publicActions,
  type TestClient,
  type WalletActions,
  walletActions,
} from 'viem'
import { multicall3Address } from './multicall3.js'

/** A viem client with the test, public and wallet actions. */
export type EvmTestClient = TestClient<'anvil', HttpTransport, Chain> &
  PublicActions<HttpTransport, Chain> &
  WalletActions<Chain>

/** A client that caches no block number and polls often, as a chain with instant blocks deserves. */
export function createEvmTestClient(rpcUrl: string, chainId: number): EvmTestClient {
  const chain = defineChain({
    id: chainId,
    name: 'Groat sandbox',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
    contracts: { multicall3: { address: multicall3Address } },
  })
  return createTestClient({ mode: 'anvil', chain, transport: http(rpcUrl), pollingInterval: 25, cacheTime: 0 })
    .extend(publicActions)
    .extend(walletActions)
}
