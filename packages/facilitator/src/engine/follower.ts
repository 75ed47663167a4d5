import type { Pid } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { Standing } from '../journal/reads.js'
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
  journal: Pick<Journal, 'loadAll' | 'standings'>,
  timers: Timers,
  onError: (error: unknown) => void,
): Follower {
  const waiting = new Map<Pid, { readonly seen: SettlementRecord; resolve(record: SettlementRecord): void }>()
  let timer: (() => void) | undefined
  let stopped = false

  async function look(): Promise<void> {
    // Most stand where they stood: what there is to know of them is read when they do not.
    const moved = (await journal.standings([...waiting.keys()])).filter(hasMoved)
    const records = moved.length === 0 ? [] : await journal.loadAll(moved.map(({ pid }) => pid))
    for (const record of records.filter(hasMoved)) {
      waiting.get(record.pid)?.resolve(record)
      waiting.delete(record.pid)
    }
  }

  function hasMoved({ pid, state, owner }: Standing): boolean {
    const seen = waiting.get(pid)?.seen
    return seen !== undefined && (state !== seen.state || owner !== seen.owner)
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
