/** Writes in the background, many at a time. */
export interface Queue<T> {
  /** Takes one more; beyond 10,000 that wait it is dropped and told of. */
  add(item: T): void
  /** Resolves when what waited is written. */
  flush(): Promise<void>
  /** Writes what waits and takes nothing more. */
  stop(): Promise<void>
}

/** How a queue writes. */
export type QueueOptions<T> = {
  readonly write: (items: readonly T[]) => Promise<void>
  readonly onError: (error: unknown) => void
}

/**
 * A queue in front of a writer that is slow. What cannot be written is told and dropped: whoever fills it brings it again.
 *
 * @example
 * const queue = createQueue({ write: (items) => save(items), onError: console.error })
 */
export function createQueue<T>({ write, onError }: QueueOptions<T>): Queue<T> {
  let waiting: T[] = []
  let running: Promise<void> | undefined
  let stopped = false
  let dropped = 0

  async function run(): Promise<void> {
    // What comes in the same moment goes along.
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH)
      waiting = waiting.slice(BATCH)
      await writeAll(batch)
      if (dropped > 0) {
        onError(new Error(`${dropped} not written: too many listings came at once`))
        dropped = 0
      }
    }
    running = undefined
  }

  /** One that cannot be written takes no other with it. */
  async function writeAll(batch: readonly T[]): Promise<void> {
    try {
      await write(batch)
    } catch (error) {
      if (batch.length === 1) onError(error)
      else for (const item of batch) await writeAll([item])
    }
  }

  return {
    add(item) {
      if (stopped) return
      if (waiting.length >= MOST) dropped += 1
      else waiting.push(item)
      running ??= run()
    },
    flush: async () => running,
    async stop() {
      stopped = true
      await running
    },
  }
}

/** Written in one transaction. */
const BATCH = 64

const MOST = 10_000
