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
export async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: Promise<T>,
  late: () => unknown,
): Promise<T> {
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(late()), ms)
  const stop = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal])
  const stopped = new Promise<never>((_, reject) => {
    if (stop.aborted) reject(stop.reason)
    stop.addEventListener('abort', () => reject(stop.reason), { once: true })
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    clearTimeout(timer)
  }
}
