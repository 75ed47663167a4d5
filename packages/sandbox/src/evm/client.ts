import {
  type Chain,
  createTestClient,
  defineChain,
  type HttpTransport,
  http,
  type PublicActions,
  publicActions,
  type TestClient,
  TransactionReceiptNotFoundError,
  WaitForTransactionReceiptTimeoutError,
  type WalletActions,
  walletActions,
} from 'viem'
import { multicall3Address } from './multicall3.js'

/** A viem client with the test, public and wallet actions. */
export type EvmTestClient = TestClient<'anvil', HttpTransport, Chain> &
  PublicActions<HttpTransport, Chain> &
  WalletActions<Chain>

/**
 * A client that caches no block number and polls often, as a chain with instant blocks deserves. A receipt is asked for until it is there: viem looks
 * at each new block once and misses the one that comes while it is busy, and on such a chain there may be no other.
 */
export function createEvmTestClient(rpcUrl: string, chainId: number): EvmTestClient {
  const chain = defineChain({
    id: chainId,
    name: 'Groat sandbox',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
    contracts: { multicall3: { address: multicall3Address } },
  })
  return createTestClient({ mode: 'anvil', chain, transport: http(rpcUrl), pollingInterval: POLL_MS, cacheTime: 0 })
    .extend(publicActions)
    .extend(walletActions)
    .extend((client) => ({
      waitForTransactionReceipt: (waited: Waited) =>
        (waited.confirmations ?? 1) > 1 ? client.waitForTransactionReceipt(waited) : receiptOf(client, waited),
    }))
}

type Waited = Parameters<EvmTestClient['waitForTransactionReceipt']>[0]

async function receiptOf(
  client: Pick<EvmTestClient, 'getTransactionReceipt'>,
  { hash, timeout = 180_000 }: Waited,
): ReturnType<EvmTestClient['waitForTransactionReceipt']> {
  const until = performance.now() + timeout
  for (;;) {
    try {
      return await client.getTransactionReceipt({ hash })
    } catch (error) {
      if (!(error instanceof TransactionReceiptNotFoundError)) throw error
      if (timeout > 0 && performance.now() > until) throw new WaitForTransactionReceiptTimeoutError({ hash })
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

const POLL_MS = 25
