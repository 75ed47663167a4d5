/** How much leaves at once. */
export type QueueLimits = {
  /** Items in one batch. */
  readonly maxBatch: number
  /** Batches under way at once; what comes meanwhile waits, and then leaves together. */
  readonly maxConcurrency: number
}

/** Items that may wait. */
export const MAX_WAITING = 10_000

/**
 * A queue that makes batches by itself: what is queued in one tick, or while as much as may be is under way, leaves together. Nothing waits
 * for company. `send` must not reject. The queue answers `false` when 10,000 items wait already.
 *
 * @example
 * const read = createQueue<Read>({ maxBatch: 50, maxConcurrency: 2 }, (batch) => readAll(batch))
 * read({ account, resolve, fail })
 */
export function createQueue<T>(
  { maxBatch, maxConcurrency }: QueueLimits,
  send: (batch: readonly T[]) => Promise<void>,
): (item: T) => boolean {
  const queue: T[] = []
  let underWay = 0
  let scheduled = false

  function pump(): void {
    scheduled = false
    while (queue.length > 0 && underWay < maxConcurrency) {
      underWay++
      void send(queue.splice(0, maxBatch)).then(() => {
        underWay--
        pump()
      })
    }
  }

  return (item) => {
    if (queue.length >= MAX_WAITING) return false
    queue.push(item)
    if (!scheduled) {
      scheduled = true
      queueMicrotask(pump)
    }
    return true
  }
}
