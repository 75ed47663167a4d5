import type { Lane } from './lane.js'

/** Lanes that have to take up anew what is in the journal: what stands there, and does not stand on the chain, goes out from here. */
export interface Reopenings {
  /** Whether a lane is just read. It is neither let go nor taken meanwhile. */
  has(lane: Lane): boolean
  /** Begins with those that do not stand as the journal has them: blocks were undone, how often each chain says, or a write was not answered. */
  look(undone: ReadonlyMap<string, number>): void
}

/** What reopenings work with. */
export type ReopeningsOptions = {
  readonly held: Pick<ReadonlyMap<Lane, unknown>, 'has' | 'keys'>
  readonly onError: (error: unknown) => void
}

/**
 * Makes the reopenings of a replica. What fails is tried again at the next look.
 *
 * @example
 * const reopenings = createReopenings({ held, onError })
 * reopenings.look(await journal.undone())
 */
export function createReopenings({ held, onError }: ReopeningsOptions): Reopenings {
  let seen: ReadonlyMap<string, number> = new Map()
  const stale = new Set<Lane>()
  const reopening = new Set<Lane>()

  async function reopen(lane: Lane): Promise<void> {
    stale.delete(lane)
    reopening.add(lane)
    try {
      await lane.reopen()
    } catch (error) {
      stale.add(lane)
      onError(error)
    } finally {
      reopening.delete(lane)
      // What it has loaded is for others to look after.
      if (!held.has(lane)) lane.lose()
    }
  }

  return {
    has: (lane) => reopening.has(lane),
    look(undone) {
      // Another replica that learnt of undone blocks may have settled by lanes that are here now.
      for (const lane of held.keys()) {
        if (lane.unsure || undone.get(lane.network) !== seen.get(lane.network)) stale.add(lane)
      }
      seen = undone
      for (const lane of [...stale].filter((each) => !reopening.has(each))) {
        if (held.has(lane)) void reopen(lane)
        // Whoever takes it reads it.
        else stale.delete(lane)
      }
    },
  }
}
