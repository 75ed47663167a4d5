import type { Http } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import type { Found } from '../model/property.js'
import type { ChainDiff, Exchange, Family } from '../model/result.js'

/** What a role's checks need of the run that they are part of. */
export type JobContext = {
  readonly http: Http
  readonly seed: number
  readonly runs: number
  readonly path?: string
  /** Counterexamples of this check from earlier runs. */
  readonly regressions: readonly Found[]
  note(exchange: Omit<Exchange, 'at'>): void
  /** Asked when the check is over. */
  onEnd(diffs: () => Promise<readonly ChainDiff[]>): void
}

/** One check on one family of chains, ready to be played. */
export type Job = {
  readonly id: string
  // The stage is the role's own business.
  readonly check: Omit<Check<never>, 'run'>
  play(context: JobContext): Promise<void>
}

/** A role of a target, opened. */
export type Session = {
  readonly jobs: readonly Job[]
  close(): Promise<void>
  /** Why the target no longer runs, where the kit started it. */
  ended?(): string | undefined
}

/** Jobs for checks: one for each family that a check is played on, or one alone. */
export function jobsOf<S>(
  checks: readonly Check<S>[],
  families: readonly Family[],
  play: (check: Check<S>, family: Family | undefined, context: JobContext) => Promise<void>,
): readonly Job[] {
  return checks.flatMap((check): readonly Job[] => {
    if (check.families === undefined || check.families.length === 0)
      return [{ id: check.id, check, play: (context) => play(check, undefined, context) }]
    const served = check.families.filter((family) => families.includes(family))
    return served.slice(0, check.once ? 1 : served.length).map((family) => ({
      id: `${check.id}/${family}`,
      check,
      play: (context) => play(check, family, context),
    }))
  })
}

/**
 * Notices when a target has stopped answering for good, so that a run with it ends. Now and then it is asked all the same: it
 * may only have been busy.
 */
export function createPatience(limit = 4): { heard(answered: boolean): void; isGone(): boolean } {
  let silences = 0
  let spared = 0
  let next = limit
  return {
    heard(answered) {
      silences = answered ? 0 : silences + 1
      if (answered) next = limit
    },
    isGone() {
      if (silences < limit) return false
      spared += 1
      if (spared < next) return true
      // Ever more seldom, so that a target that hangs costs minutes at the most.
      spared = 0
      next *= 2
      return false
    },
  }
}
