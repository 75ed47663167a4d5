import type { Pid } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import type { Timers } from '../timers.js'

/** Watches in the journal what another replica carries. */
export interface Follower {
  /** Resolves with the record when it stands elsewhere than the caller saw it, or has another owner; never after `stop`. */
  changed(record: SettlementRecord): Promise<SettlementRecord>
  stop(): void
}

/**
 * Makes a follower: one query for everybody who waits.
 *
 * @example
 * const record = await follower.changed(claimed)
 */
export function createFollower(
  journal: Pick<Journal, 'loadAll'>,
  timers: Timers,
  onError: (error: unknown) => void,
): Follower {
  const waiting = new Map<Pid, { readonly seen: SettlementRecord; resolve(record: SettlementRecord): void }>()
  let timer: (() => void) | undefined
  let stopped = false

  async function look(): Promise<void> {
    const records = await journal.loadAll([...waiting.keys()])
    for (const record of records) {
      const follower = waiting.get(record.pid)
      if (follower === undefined) continue
      const { seen } = follower
      if (record.state === seen.state && record.owner === seen.owner) continue
      waiting.delete(record.pid)
      follower.resolve(record)
    }
  }

  function schedule(): void {
    if (stopped || timer !== undefined || waiting.size === 0) return
    timer = timers.background(INTERVAL, () => {
      void look()
        .catch(onError)
        .finally(() => {
          timer = undefined
          schedule()
        })
    })
  }

  return {
    changed: (record) =>
      new Promise((resolve) => {
        waiting.set(record.pid, { seen: record, resolve })
        schedule()
      }),
    stop() {
      stopped = true
      timer?.()
    },
  }
}

/** Milliseconds between two looks. */
const INTERVAL = 20
