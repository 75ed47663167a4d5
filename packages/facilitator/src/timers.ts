import { setImmediate as turnOfTheLoop } from 'node:timers/promises'

/** How a facilitator waits: what a clock says and what is waited for come from outside, so that every run can be replayed. */
export interface Timers {
  /** Calls back once, after so many milliseconds, unless what it answers was called before. */
  after(milliseconds: number, call: () => void): () => void
  /** The same, for what nobody waits for: it does not keep the process alive. */
  background(milliseconds: number, call: () => void): () => void
  /** Resolves when what has already arrived was taken in. */
  turn(): Promise<void>
}

/** The timers of this process. */
export const systemTimers: Timers = {
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds)
    return () => clearTimeout(timer)
  },
  background(milliseconds, call) {
    const timer = setTimeout(call, milliseconds).unref()
    return () => clearTimeout(timer)
  },
  turn: () => turnOfTheLoop(),
}

/**
 * Resolves after so many milliseconds, or as soon as the signal is given.
 *
 * @example
 * await sleep(timers, 50, stopping)
 */
export function sleep(timers: Timers, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const enough = () => {
      cancel()
      resolve()
    }
    const cancel = timers.after(milliseconds, () => {
      signal?.removeEventListener('abort', enough)
      resolve()
    })
    signal?.addEventListener('abort', enough, { once: true })
  })
}

/**
 * Resolves after so many milliseconds, or as soon as one of these does.
 *
 * @example
 * await upTo(timers, 50, [landed, stopped])
 */
export async function upTo(timers: Timers, milliseconds: number, reasons: readonly Promise<unknown>[]): Promise<void> {
  let cancel = () => {}
  const late = new Promise<void>((resolve) => {
    cancel = timers.after(milliseconds, resolve)
  })
  await Promise.race([late, ...reasons])
  cancel()
}
