import type { LaneOptions } from './engine/lane.js'
import type { Routes } from './engine/route.js'
import type { WatcherOptions } from './engine/watcher.js'
import { storedRequest } from './presentation.js'

/** What can be said of payments of which only the journal knows. */
export interface Recall {
  /** What has to be sent for them together; `undefined` when it cannot be made again as it was. */
  readonly call: LaneOptions['recall']
  /** The block in which one was settled, as the chain has it now. */
  readonly block: WatcherOptions['blockOf']
}

/**
 * Makes a recall. Both reject when the chain cannot be read.
 *
 * @example
 * const recall = createRecall(routes.find)
 * const call = await recall.call(await journal.riders(slot.id))
 */
export function createRecall(find: Routes['find']): Recall {
  return {
    async call(records) {
      const calls = await Promise.all(
        records.map(async (record) => {
          const route = find(record)
          const { payment, requirements } = storedRequest(record)
          return route.ok ? { chain: route.chain, call: await route.half.prepare(payment, requirements) } : undefined
        }),
      )
      const [first] = calls
      if (first === undefined || calls.length === 1) return first?.call
      // A group that cannot be made again as it was is not outbid.
      if (calls.some((each) => each?.call === undefined)) return undefined
      return first.chain.groups?.join(calls.map((each) => each?.call))
    },
    async block(record) {
      const route = find(record)
      if (!route.ok) return undefined
      const { payment, requirements } = storedRequest(record)
      const sent = record.attempts.map(({ transaction }) => transaction)
      const outcome = await route.half.outcome(payment, requirements, sent)
      return outcome.status === 'settled' ? { number: outcome.blockNumber, hash: outcome.blockHash } : undefined
    },
  }
}
