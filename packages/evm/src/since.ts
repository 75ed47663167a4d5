import { X402Error } from '@groat/core'
import type { EvmChain } from './chain.js'
import type { EvmRpc } from './rpc.js'

/**
 * A chain as it stands at a block or after it, whatever node answers: what would be called at the newest block is called at one that is no older, by its height.
 * Its calls throw `X402Error` `rpc_invalid_answer` while the newest block of the node is older, and where the node does not have that block.
 *
 * @example
 * const reply = await chainSince(chain, 7n).rpc.call(request)
 */
export function chainSince(chain: EvmChain, since: bigint | undefined): EvmChain {
  if (since === undefined) return chain
  const { network, rpc, tryTogether } = chain
  let asked: Promise<bigint> | undefined

  function height(oldest: bigint): Promise<bigint> {
    asked ??= newest(oldest)
    return asked
  }

  async function newest(oldest: bigint): Promise<bigint> {
    const { number } = await rpc.latestBlock()
    if (number >= oldest) return number
    throw new X402Error('rpc_invalid_answer', { network, reason: `its newest block is ${number}, behind ${oldest}` })
  }

  const call: EvmRpc['call'] = async (request, block = 'latest') => {
    if (block !== 'latest') return rpc.call(request, block)
    return rpc.call(request, await height(since))
  }
  return {
    ...chain,
    rpc: { ...rpc, call },
    tryTogether: tryTogether && (async (trial) => tryTogether({ ...trial, block: await height(since) })),
  }
}
