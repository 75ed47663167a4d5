import { clientChecks } from '../client/session.js'
import { facilitatorChecks } from '../facilitator/session.js'
import { libraryChecks } from '../library/session.js'
import { requirementOf } from '../model/check.js'
import type { CheckKind, Family, Profile, Role } from '../model/result.js'
import { serverChecks } from '../server/session.js'
import { requirement, requirements } from '../spec/requirements.js'
import { unseen } from '../spec/unseen.js'
import { UsageError } from '../target/manifest.js'

/** A check, for lists. */
export type CheckEntry = {
  readonly id: string
  readonly requirement: string
  readonly role: Role
  readonly kind: CheckKind
  readonly profile: Profile
  readonly level: string
  readonly title: string
  readonly families: readonly Family[]
}

/**
 * Every check of the kit.
 *
 * @example
 * ```ts
 * allChecks().filter(({ role }) => role === 'facilitator').length
 * ```
 */
export function allChecks(): readonly CheckEntry[] {
  return [...facilitatorChecks, ...serverChecks, ...clientChecks, ...libraryChecks].map(
    ({ id, role, kind, title, families = [] }) => {
      const { level, profile } = requirement(requirementOf(id))
      return { id, requirement: requirementOf(id), role, kind, profile, level, title, families }
    },
  )
}

/** What a requirement says, where it comes from, what a violation means, and how it is tested. Throws `UsageError`. */
export function explain(id: string): string {
  const found = requirements.get(requirementOf(id))
  if (found === undefined) throw new UsageError(`the specification has no requirement ${requirementOf(id)}`)
  const { level, roles, basis, source = '', text, violation, codes, anchor, profile } = found
  const checks = allChecks().filter((each) => each.requirement === found.id)
  const why = unseen[found.id]
  return [
    `${found.id}  ${level}  ${roles.join(', ')}  ${profile}`,
    '',
    text,
    '',
    `basis       ${basis}${source === '' ? '' : ` (${source})`}`,
    `violation   ${violation}`,
    ...(codes.length > 0 ? [`codes       ${codes.join(', ')}`] : []),
    `where       spec/${anchor}`,
    '',
    ...(checks.length === 0
      ? [`no check of the kit looks at it${why === undefined ? '' : `: ${why}`}`]
      : checks.map((each) => `${each.id}  ${each.title}`)),
  ].join('\n')
}
