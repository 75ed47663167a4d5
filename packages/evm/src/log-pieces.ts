import { X402Error } from '@groat/core'
import type { EvmRpc, Log, LogFilter } from './rpc.js'

/**
 * Reads logs also where a node finds a range too wide, as most providers do: what is turned down for that is asked in halves, and from then on in pieces of a size
 * that was answered. Throws what the node said where one block is too much, or where it would take more than 200 questions.
 *
 * @example
 * const logs = inPieces(rpc)
 * await logs({ address, topics, fromBlock: 1n })
 */
export function inPieces({ logs, latestBlock }: Pick<EvmRpc, 'logs' | 'latestBlock'>): EvmRpc['logs'] {
  let widest: bigint | undefined

  async function read(filter: LogFilter, toBlock: bigint, left: Budget): Promise<readonly Log[]> {
    const { fromBlock } = filter
    const size = toBlock - fromBlock + 1n
    if (widest === undefined || size <= widest) {
      try {
        left.questions -= 1
        return await logs({ ...filter, toBlock })
      } catch (error) {
        if (!isTooWide(error) || size <= 1n || left.questions <= 0) throw error
        left.refusal = error
        widest = size / 2n
      }
    }
    if (BigInt(left.questions) * widest < size) throw left.refusal ?? tooMany(widest)
    const middle = fromBlock + (size > widest ? widest : size / 2n)
    const first = await read(filter, middle - 1n, left)
    return [...first, ...(await read({ ...filter, fromBlock: middle }, toBlock, left))]
  }

  return async (filter) => {
    const left: Budget = { questions: MOST_QUESTIONS }
    if (widest === undefined) {
      try {
        return await logs(filter)
      } catch (error) {
        if (!isTooWide(error)) throw error
        left.refusal = error
      }
    }
    const toBlock = filter.toBlock ?? (await latestBlock()).number
    if (toBlock < filter.fromBlock) return []
    widest ??= (toBlock - filter.fromBlock + 2n) / 2n
    return read(filter, toBlock, left)
  }
}

type Budget = { questions: number; refusal?: unknown }

/** Questions for one range, at the most. */
const MOST_QUESTIONS = 200

/** The words are those of the providers in use; the cause has them. */
function isTooWide(error: unknown): boolean {
  if (!X402Error.is(error) || error.context.code === undefined || !(error.cause instanceof Error)) return false
  return /range|too (many|wide|large|big)|limit|exceed|more than \d+|up to|at most|at the most/i.test(
    error.cause.message,
  )
}

function tooMany(widest: bigint): X402Error {
  return new X402Error('rpc_unreachable', {
    method: 'eth_getLogs',
    reason: `the node answers ${widest} blocks at once`,
  })
}
