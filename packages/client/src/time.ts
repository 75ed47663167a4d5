/** Waits that many milliseconds. Rejects with the signal's reason when it is aborted meanwhile. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>

/** The platform's timer. */
export const systemSleep: Sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', stop, { once: true })
  })

/**
 * The result of `work`, or a rejection with `late()` after that many milliseconds, or with the signal's reason. The work itself goes on:
 * whoever cannot be stopped is no longer waited for.
 */
export function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: Promise<T>,
  late: () => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal?.reason)
    const timer = setTimeout(() => reject(late()), ms)
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
    work.then(resolve, reject).finally(end)
  })
}
