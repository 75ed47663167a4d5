import { X402Error } from '@groat/core'
import type { EvmChain } from './chain.js'
import type { EvmRpc } from './rpc.js'
import type { TryTogether } from './together.js'

/**
 * A chain as it stands at a block or after it, whatever node answers: what would be called at the newest block is called at one that is no older, by its height.
 * Its calls throw `X402Error` `rpc_invalid_answer` while the newest block of the node is older, and where the node does not have that block.
 *
 * @example
 * const reply = await chainSince(chain, tryTogether, 7n).rpc.call(request)
 */
export function chainSince(chain: EvmChain, tryTogether: TryTogether | undefined, since: bigint | undefined): EvmChain {
  if (since === undefined) return chain
  const { network, rpc } = chain
  let asked: Promise<bigint> | undefined

  async function newest(oldest: bigint): Promise<bigint> {
    const { number } = await rpc.latestBlock()
    if (number >= oldest) return number
    throw new X402Error('rpc_invalid_answer', { network, reason: `its newest block is ${number}, behind ${oldest}` })
  }

  const call: EvmRpc['call'] = async (request, block = 'latest') => {
    if (block !== 'latest') return rpc.call(request, block)
    asked ??= newest(since)
    return rpc.call(request, await asked)
  }
  return {
    ...chain,
    rpc: { ...rpc, call },
    tryTogether: tryTogether && ((trial) => tryTogether({ ...trial, since })),
  }
}
