import type { Check } from '../model/check.js'
import type { Trials } from '../model/property.js'
import { expectRefused } from './answers.js'
import type { FacilitatorStage } from './stage.js'

/** Something that is asked of a facilitator. */
export type FacilitatorCheck = Check<FacilitatorStage>

/** Writes a check down. */
export type WriteCheck = (
  id: string,
  title: string,
  run: FacilitatorCheck['run'],
  more?: Partial<FacilitatorCheck>,
) => FacilitatorCheck

/** How the checks of a file are written down: what they usually have in common is said once. */
export const facilitatorChecksWith =
  (usual: Partial<FacilitatorCheck> = {}): WriteCheck =>
  (id, title, run, more = {}) => ({ id, title, role: 'facilitator', kind: 'scenario', ...usual, run, ...more })

/** What is sent to `/verify`. */
export type Attempt = { readonly payment: unknown; readonly requirements: unknown }

/** A check that something is refused, for one of these reasons. */
export const refusal = (
  check: WriteCheck,
  id: string,
  what: string,
  codes: readonly string[],
  attempt: (stage: FacilitatorStage) => Promise<Attempt>,
): FacilitatorCheck =>
  check(id, `${what} is refused`, async (stage) => {
    const { payment, requirements } = await attempt(stage)
    expectRefused(await stage.verify(payment, requirements), codes, what)
  })

/** A part of the tries, for laws of which each costs transactions. */
export const fewer = (
  { runs, seed, path, regressions = [] }: Trials,
  { by, least }: { readonly by: number; readonly least: number },
): Trials => ({
  runs: Math.max(least, Math.ceil(runs / by)),
  seed,
  regressions,
  ...(path === undefined ? {} : { path }),
})
