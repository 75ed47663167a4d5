/** Virtual time: everything that waits in a run waits here, and the seed decides what comes first of what is due together. */
export interface Scheduler {
  /** Milliseconds since 1970. */
  readonly now: number
  /** How many events were fired. */
  readonly fired: number
  /** What was fired last: everything until the next is its doing. */
  readonly current: unknown
  after(ms: number, call: () => void, owner?: unknown): () => void
  /** Work of the real world (the database in memory) that has to end before time goes on. */
  working<T>(work: Promise<T>): Promise<T>
  /** Lets time go by until that much of it has passed, or until something is so. */
  run(ms: number, until?: () => boolean): Promise<void>
}

type Event = {
  readonly at: number
  readonly order: number
  readonly call: () => void
  readonly owner: unknown
  gone: boolean
}

/** Makes a scheduler. Events that are due at the same millisecond come in an order that is drawn. */
export function createScheduler(random: () => number, start: number): Scheduler {
  const heap: Event[] = []
  let now = start
  let fired = 0
  let working = 0
  let current: unknown

  const isBefore = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order)

  function push(event: Event): void {
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  function pop(): Event | undefined {
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const right = heap[left + 1]
      const child = right !== undefined && isBefore(right, heap[left] ?? right) ? left + 1 : left
      const below = heap[child]
      if (below === undefined || !isBefore(below, last)) break
      heap[at] = below
      at = child
    }
    heap[at] = last
    return first
  }

  /** Until nothing more happens by itself. */
  async function settle(): Promise<void> {
    do await new Promise(setImmediate)
    while (working > 0)
  }

  return {
    get now() {
      return now
    },
    get fired() {
      return fired
    },
    get current() {
      return current
    },
    after(ms, call, owner) {
      const event: Event = { at: now + Math.max(0, Math.ceil(ms)), order: random(), call, owner, gone: false }
      push(event)
      return () => {
        event.gone = true
      }
    },
    working(work) {
      working += 1
      return work.finally(() => {
        working -= 1
      })
    },
    async run(ms, until = () => false) {
      const end = now + ms
      await settle()
      while (!until()) {
        const event = pop()
        if (event === undefined || event.at > end) {
          if (event !== undefined) push(event)
          now = end
          return
        }
        if (event.gone) continue
        now = Math.max(now, event.at)
        current = event.owner
        fired += 1
        event.call()
        await settle()
      }
    },
  }
}
