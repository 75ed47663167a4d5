import { setTimeout as sleep } from 'node:timers/promises'

/** The pause before the next try, in milliseconds: it doubles from about 1 to about 32, and is spread by half. */
export function backoff(tries: number, jitter: () => number): number {
  return 2 ** Math.min(tries, 5) * (0.5 + jitter())
}

/** Runs `work` again, with pauses, while it fails in a way that passes; gives up when it has paused for `budget` ms. */
export async function retry<T>(
  work: () => T | Promise<T>,
  options: { readonly passes: (error: unknown) => boolean; readonly budget: number; readonly jitter: () => number },
): Promise<T> {
  let paused = 0
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (!options.passes(error) || paused >= options.budget) throw error
      const pause = backoff(tries, options.jitter)
      paused += pause
      await sleep(pause)
    }
  }
}
