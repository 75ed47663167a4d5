import type { Pid } from '@groat/core'

/**
 * What payers have let themselves in for and have not paid yet. A ceiling moves nothing when it is verified, so one balance could stand
 * behind any number of them.
 */
export interface Exposures {
  /** A payer's other payments, and the atomic units that they may still take. `now` in seconds since 1970. */
  others(account: string, pid: Pid, now: number): { readonly count: number; readonly amount: bigint }
  /** What a payment may still take, until its end. Nothing: it is forgotten. */
  hold(account: string, pid: Pid, amount: bigint, until: number): void
}

/**
 * Keeps exposures in the memory of this process. A payment names the one account that can settle it, and one process has that account's
 * key, so all that count come by here.
 *
 * @example
 * exposures.hold(`${network} ${token} ${payer}`, pid, 50_000n, deadline)
 */
export function createExposures(): Exposures {
  const byAccount = new Map<string, Map<Pid, { readonly amount: bigint; readonly until: number }>>()
  let holds = 0

  function sweep(now: number): void {
    for (const account of byAccount.keys()) prune(account, now)
  }

  function prune(account: string, now: number): void {
    const open = byAccount.get(account)
    for (const [pid, { until }] of open ?? []) if (until < now) open?.delete(pid)
    if (open?.size === 0) byAccount.delete(account)
  }

  return {
    others(account, pid, now) {
      if (holds >= SWEEP_EVERY) {
        holds = 0
        sweep(now)
      } else prune(account, now)
      let [count, sum] = [0, 0n]
      for (const [other, { amount }] of byAccount.get(account) ?? []) {
        if (other === pid) continue
        count += 1
        sum += amount
      }
      return { count, amount: sum }
    },
    hold(account, pid, amount, until) {
      holds += 1
      const open = byAccount.get(account) ?? new Map()
      if (amount === 0n) open.delete(pid)
      else open.set(pid, { amount, until })
      if (open.size === 0) byAccount.delete(account)
      else byAccount.set(account, open)
    },
  }
}

const SWEEP_EVERY = 1_000
