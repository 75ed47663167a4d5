import { type EvmChain, startEvmChain, usdcAbi } from '@groat/sandbox'
import { afterAll, beforeAll } from 'vitest'
import type { Listening } from './peers/listen.js'

/** One chain for the tests of a file, and whatever they start on it. */
export function useStage() {
  const started: Listening[] = []
  let chain: EvmChain | undefined
  beforeAll(async () => {
    chain = await startEvmChain({ rpcUrl: false })
  })
  afterAll(async () => {
    for (const server of started.reverse()) await server.close()
    await chain?.stop()
  })

  const stage = {
    get chain(): EvmChain {
      if (chain === undefined) throw new Error('the chain is not up')
      return chain
    },
    /** Closes it when the file is done. */
    async keep<T extends Listening>(server: Promise<T>): Promise<T> {
      started.push(await server)
      return server
    },
    /** Lets Permit2 move the payer's USDC, all of it. */
    async approvePermit2(): Promise<void> {
      const { chain } = stage
      const words = [chain.permit2.slice(2).toLowerCase().padStart(64, '0'), 'f'.repeat(64)]
      const call = { to: chain.usdc, data: `0x095ea7b3${words.join('')}` } as const
      const hash = await chain.client.sendUnsignedTransaction({ from: chain.account('payer').address, ...call })
      await chain.client.waitForTransactionReceipt({ hash })
    },
    /** What `act` moved, in atomic units, and how many transfers of the payer the token reported. */
    async moved(payer: `0x${string}`, act: () => Promise<unknown>) {
      const { chain } = stage
      const state = async () => {
        const query = { address: chain.usdc, abi: usdcAbi, eventName: 'Transfer', args: { from: payer } } as const
        const [held, earned, logs] = await Promise.all([
          chain.balance(payer),
          chain.balance(chain.account('seller').address),
          chain.client.getContractEvents({ ...query, fromBlock: 0n }),
        ])
        return { held, earned, transfers: logs.length }
      }
      const before = await state()
      await act()
      const after = await state()
      return {
        paid: before.held - after.held,
        earned: after.earned - before.earned,
        transfers: after.transfers - before.transfers,
      }
    },
  }
  return stage
}
