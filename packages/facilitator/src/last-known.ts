import type { Clock } from '@groat/core'
import { sleep, type Timers } from './timers.js'

/** How an answer is waited for. */
export type LastKnownOptions = {
  readonly clock: Clock
  readonly timers: Timers
  /** Milliseconds that whoever asks waits at the most; 1,500 unless told. */
  readonly patience?: number
  /** Milliseconds for which an answer stands in for one that is late; 10,000 unless told. */
  readonly holds?: number
}

/** What came of asking. */
export type Known<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

/**
 * Makes of a question that may take long one that does not: where the answer is late, the one before stands in for it while it is fresh enough, and then
 * nothing is known (`undefined`). Who asks meanwhile waits for the same answer: a node that hangs is asked once at a time.
 *
 * @example
 * const ready = createLastKnown(() => chain.ready(), { clock, timers })
 * const known = await ready() // undefined: no answer in time, and none of late
 */
export function createLastKnown<T>(
  ask: () => Promise<T>,
  { clock, timers, patience = 1_500, holds = 10_000 }: LastKnownOptions,
): () => Promise<Known<T> | undefined> {
  let last: { readonly at: number; readonly known: Known<T> } | undefined
  let asking: Promise<Known<T>> | undefined

  async function learn(): Promise<Known<T>> {
    const known = await ask().then(
      (value): Known<T> => ({ ok: true, value }),
      (error: unknown): Known<T> => ({ ok: false, error }),
    )
    last = { at: clock(), known }
    asking = undefined
    return known
  }

  return async () => {
    asking ??= learn()
    const enough = new AbortController()
    const answered = await Promise.race([asking, sleep(timers, patience, enough.signal)])
    enough.abort()
    if (answered !== undefined) return answered
    return last !== undefined && clock() - last.at < holds ? last.known : undefined
  }
}
