import {
  type Account,
  type Chain,
  createWalletClient,
  type Hex,
  type HttpTransport,
  http,
  type WalletClient,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type EvmChain, type EvmRole, startEvmChain, usdcAbi, usdcAddress } from '../src/index.js'

export const usdc = { address: usdcAddress, abi: usdcAbi } as const

/** One chain for a test file, brought back to its start after each test. */
export function useChain() {
  let chain: EvmChain
  let revert: () => Promise<void>
  beforeAll(async () => {
    chain = await startEvmChain()
    revert = await chain.snapshot()
  })
  afterEach(() => revert())
  afterAll(() => chain?.stop())

  return {
    get chain() {
      return chain
    },
    wallet(role: EvmRole): WalletClient<HttpTransport, Chain, Account> {
      const account = privateKeyToAccount(chain.account(role).privateKey)
      return createWalletClient({ account, chain: chain.client.chain, transport: http(chain.rpcUrl) })
    },
    /** Anvil answers a send before it mines. */
    async mined(hash: Promise<Hex>) {
      return chain.client.waitForTransactionReceipt({ hash: await hash })
    },
  }
}
