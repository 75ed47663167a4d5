/** Cuts a stream of bytes where its events end. */
export type EventSplitter = {
  /** The events that are whole now, each with the empty line that ends it. */
  push(chunk: Uint8Array): readonly Uint8Array<ArrayBuffer>[]
  /** What has begun and not ended. */
  rest(): Uint8Array<ArrayBuffer>
}

/**
 * Splits an event stream (`text/event-stream`), whatever way its lines end.
 *
 * @example
 * createEventSplitter().push(new TextEncoder().encode('data: 1\n\nda')) // [the bytes of 'data: 1\n\n']
 */
export function createEventSplitter(): EventSplitter {
  let pending = new Uint8Array()
  let scanned = 0
  return {
    push(chunk) {
      const all = new Uint8Array(pending.length + chunk.length)
      all.set(pending)
      all.set(chunk, pending.length)
      const events: Uint8Array<ArrayBuffer>[] = []
      let start = 0
      for (let at = Math.max(1, scanned); at < all.length; at++) {
        if (!endsEvent(all, at)) continue
        events.push(all.subarray(start, at + 1))
        start = at + 1
      }
      // An event that does not end is passed on in pieces.
      if (all.length - start > MAX_EVENT_BYTES) {
        events.push(all.subarray(start))
        start = all.length
      }
      pending = all.subarray(start)
      scanned = pending.length
      return events
    },
    rest() {
      const rest = pending
      pending = new Uint8Array()
      return rest
    },
  }
}

const MAX_EVENT_BYTES = 1024 * 1024
const LF = 10
const CR = 13

/** Whether the byte at `at` ends an empty line. */
function endsEvent(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] === LF) return bytes[at - 1] === LF || (bytes[at - 1] === CR && bytes[at - 2] === LF)
  return bytes[at] === CR && bytes[at - 1] === CR
}
