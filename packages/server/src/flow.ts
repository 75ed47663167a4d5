import type { HeaderTable } from './answer.js'
import type { Tally } from './price-words.js'

/** What an adapter sends of an answer whose price is counted while it leaves. */
export type Flow = Pick<Tally, 'pass' | 'end' | 'msLeft'>

/** Begins to count an answer whose head is about to leave; it may end earlier than its maker thinks. */
export function beginFlow(tally: Tally, headers: HeaderTable): void {
  tally.begin((name) => headers.get(name))
  headers.delete('content-length')
}

/** The events that end a stream: that it ended at its ceiling, and what was charged for it. */
export function lastEvents(stopped: boolean, name: string, data: string): string {
  const limit = stopped ? 'event: payment-limit\ndata: {"code":"ceiling_reached"}\n\n' : ''
  return `${limit}event: ${name}\ndata: ${data}\n\n`
}
