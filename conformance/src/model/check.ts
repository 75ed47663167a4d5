import type { CheckKind, Family, Role } from './result.js'

/**
 * One thing that is asked of a target. `S` is the stage that it plays on. The id is the requirement and a name,
 * `FAC-031/twice`; on a family of chains the name of the family is added, `FAC-031/twice/evm`.
 */
export type Check<S> = {
  readonly id: string
  readonly role: Role
  readonly kind: CheckKind
  /** What is right, in one sentence. */
  readonly title: string
  /** The families it is played on, one after the other; none when no chain is needed. */
  readonly families?: readonly Family[]
  /** The chain makes no difference: it is played on the first family that the target serves. */
  readonly once?: boolean
  /** Moves clocks or blocks: nothing else may run meanwhile. */
  readonly alone?: boolean
  /** Returns when the target is right; throws an `Outcome` otherwise. */
  run(stage: S): Promise<void>
}

/** The requirement that a check is about. */
export const requirementOf = (id: string): string => id.split('/')[0] ?? id

/** Whether a pattern means an id: the id, a whole part of its beginning, or a beginning followed by `*`. */
export function matches(pattern: string, id: string): boolean {
  if (pattern.endsWith('*')) return id.startsWith(pattern.slice(0, -1))
  return id === pattern || id.startsWith(`${pattern}/`)
}

/** Checks for which the chain makes no difference, but for these. */
export const onceBut = <S>(checks: readonly Check<S>[], ...ids: readonly string[]): readonly Check<S>[] =>
  checks.map((check) => (ids.includes(check.id) ? check : { ...check, once: true }))

/** Both families of chains. */
export const both: readonly Family[] = ['evm', 'svm']
