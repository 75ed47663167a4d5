import type { Pid } from '@groat/core'

/** What a payment may still take, and until when. */
export type Exposure = {
  /** Network, token and payer: whose one balance stands behind it. */
  readonly account: string
  readonly pid: Pid
  /** Atomic units. */
  readonly amount: bigint
  /** Seconds since 1970 after which it can take nothing any more. */
  readonly until: number
}

/** How an account stands. Amounts in atomic units. */
export type OpenPayments = {
  /** Other payments that are open, and what they may take. */
  readonly count: number
  readonly amount: bigint
  /** What payments that are over could take, in all that time: it only rises, and tells what ended between two looks. */
  readonly freed: bigint
}

/** What a claim is judged by. */
export type ExposureLimits = {
  /** Seconds since 1970. */
  readonly now: number
  /** Payments of one account that may be open beside it. */
  readonly maxOpen: number
  /** How the account stood before the chain was asked: what ended since may or may not be in its answer, so it counts (EVM-UPTO-045). */
  readonly before: OpenPayments
  /** What the chain says that the account has and may be taken, each in atomic units; absent while it was not asked. */
  readonly means?: readonly bigint[] | undefined
}

/**
 * What payers have let themselves in for and have not paid yet. A ceiling moves nothing when it is verified, so one balance could stand
 * behind any number of them. Every method is one atomic step, and all replicas that verify for one signer share one of these.
 */
export interface Exposures {
  /** How an account stands beside a payment. */
  look(account: string, pid: Pid, now: number): Promise<OpenPayments>
  /**
   * Writes down what a payment may take, if the account's means cover it and all that is open beside it: looked up and written in one step.
   * `unknown`: there are others, and the means are missing: look, ask the chain, take again. `exceeded`: nothing was written.
   */
  take(exposure: Exposure, limits: ExposureLimits): Promise<'taken' | 'exceeded' | 'unknown'>
  /** Writes down what a payment will take, whatever else is open; nothing, when that is 0. */
  hold(exposure: Exposure): Promise<void>
  /** Ends what a payment may take: it took that, or will never take anything. */
  free(account: string, pid: Pid, now: number): Promise<void>
}

/**
 * Whether a payment may be taken beside others. Pure.
 *
 * @example
 * judgeExposure(60n, { count: 1, amount: 50n, freed: 0n }, { now, maxOpen: 1000, before, means: [100n] }) // 'exceeded'
 */
export function judgeExposure(
  amount: bigint,
  open: OpenPayments,
  { maxOpen, before, means }: ExposureLimits,
): 'taken' | 'exceeded' | 'unknown' {
  const ended = open.freed > before.freed ? open.freed - before.freed : 0n
  if (open.count >= maxOpen) return 'exceeded'
  if (means !== undefined) return means.every((most) => open.amount + ended + amount <= most) ? 'taken' : 'exceeded'
  return open.count === 0 && ended === 0n ? 'taken' : 'unknown'
}

/**
 * Keeps exposures in the memory of this process: for one process alone that has the signer's key. Replicas share `sqlExposures(store)` of
 * `@groat/evm/upto/facilitator/sql`.
 *
 * @example
 * uptoEvm({ chains: [chain], exposures: createExposures() })
 */
export function createExposures(): Exposures {
  const byAccount = new Map<string, Account>()
  let writes = 0

  function accountOf(name: string, now: number): Account {
    if (writes >= SWEEP_EVERY) {
      writes = 0
      for (const [each, account] of byAccount) if (prune(account, now).idleFrom < now) byAccount.delete(each)
    }
    const account = byAccount.get(name) ?? { open: new Map(), freed: 0n, idleFrom: 0 }
    byAccount.set(name, account)
    return prune(account, now)
  }

  function prune(account: Account, now: number): Account {
    for (const [pid, { until }] of account.open) if (until < now) account.open.delete(pid)
    return account
  }

  function lookAt({ open, freed }: Account, pid: Pid): OpenPayments {
    let [count, sum] = [0, 0n]
    for (const [other, { amount }] of open) {
      if (other === pid) continue
      count += 1
      sum += amount
    }
    return { count, amount: sum, freed }
  }

  function write({ account: name, pid, amount, until }: Exposure): void {
    writes += 1
    const account = byAccount.get(name) ?? { open: new Map(), freed: 0n, idleFrom: 0 }
    byAccount.set(name, account)
    account.idleFrom = Math.max(account.idleFrom, until + KEPT_SECONDS)
    if (amount === 0n) account.open.delete(pid)
    else account.open.set(pid, { amount, until })
  }

  return {
    look: async (account, pid, now) => lookAt(accountOf(account, now), pid),
    async take(exposure, limits) {
      const { account, pid, amount } = exposure
      const judged = judgeExposure(amount, lookAt(accountOf(account, limits.now), pid), limits)
      if (judged === 'taken') write(exposure)
      return judged
    },
    hold: async (exposure) => write(exposure),
    async free(name, pid, now) {
      const account = accountOf(name, now)
      account.freed += account.open.get(pid)?.amount ?? 0n
      account.open.delete(pid)
    },
  }
}

type Account = {
  readonly open: Map<Pid, { readonly amount: bigint; readonly until: number }>
  freed: bigint
  /** Seconds since 1970 after which nobody can be between two looks any more. */
  idleFrom: number
}

const SWEEP_EVERY = 1_000

/** Seconds for which an account is remembered after its last payment: longer than any verification takes. */
export const KEPT_SECONDS = 3_600
