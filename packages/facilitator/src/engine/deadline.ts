import type { Timers } from '../timers.js'

/** How long somebody waits. */
export type Deadline = { readonly over: Promise<void>; passed(): boolean; clear(): void }

/** Begins to wait so long, or until the caller gives up. */
export function createDeadline(timers: Timers, milliseconds: number, signal: AbortSignal | undefined): Deadline {
  let passed = false
  let pass = () => {}
  const over = new Promise<void>((resolve) => {
    pass = () => {
      passed = true
      resolve()
    }
  })
  const cancel = timers.after(milliseconds, pass)
  signal?.addEventListener('abort', pass)
  if (signal?.aborted) pass()
  return {
    over,
    passed: () => passed,
    clear() {
      cancel()
      signal?.removeEventListener('abort', pass)
    },
  }
}
