import { X402Error } from '@groat/core'
import type { EvmRpc, Log, LogFilter } from './rpc.js'

/**
 * Reads logs also where a node finds a range too wide, as most providers do: then it is asked for half as much, and from then on in pieces of a size that was answered.
 * Throws what the node said where one block is too much, or where it would take more than 200 questions.
 *
 * @example
 * const logs = inPieces(rpc)
 * await logs({ address, topics, fromBlock: 1n })
 */
export function inPieces({ logs, latestBlock }: Pick<EvmRpc, 'logs' | 'latestBlock'>): EvmRpc['logs'] {
  let widest: bigint | undefined

  /** No more than half of what was refused; others that read at the same time may know of less. */
  function narrow(refused: bigint): bigint {
    const half = (refused + 1n) / 2n
    widest = widest !== undefined && widest < half ? widest : half
    return widest
  }

  async function read(filter: LogFilter, toBlock: bigint, most: bigint, refusal?: unknown): Promise<readonly Log[]> {
    const found: Log[] = []
    let [from, size, said] = [filter.fromBlock, most, refusal]
    for (let left = MOST_QUESTIONS; from <= toBlock; left--) {
      if (BigInt(left) * size < toBlock - from + 1n) throw said ?? tooMany(size)
      const last = from + size - 1n < toBlock ? from + size - 1n : toBlock
      try {
        found.push(...(await logs({ ...filter, fromBlock: from, toBlock: last })))
        from = last + 1n
      } catch (error) {
        if (!isTooWide(error) || last === from) throw error
        said = error
        size = narrow(last - from + 1n)
      }
    }
    return found
  }

  return async (filter) => {
    const end = async () => filter.toBlock ?? (await latestBlock()).number
    if (widest !== undefined) return read(filter, await end(), widest)
    try {
      return await logs(filter)
    } catch (error) {
      if (!isTooWide(error)) throw error
      const toBlock = await end()
      if (toBlock < filter.fromBlock) throw error
      return read(filter, toBlock, narrow(toBlock - filter.fromBlock + 1n), error)
    }
  }
}

/** Questions for one range, at the most. */
const MOST_QUESTIONS = 200

/** The words are those of the providers in use; the cause has them. Who is asked too often says something else, and it passes. */
function isTooWide(error: unknown): boolean {
  if (!X402Error.is(error) || error.context.code === undefined || !(error.cause instanceof Error)) return false
  return /\brange\b|\bresults\b|response size|\d+ blocks/i.test(error.cause.message)
}

function tooMany(widest: bigint): X402Error {
  const reason = `the node answers ${widest} blocks at once`
  return new X402Error('rpc_unreachable', { method: 'eth_getLogs', reason })
}
