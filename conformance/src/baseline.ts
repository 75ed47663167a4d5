import { readFile } from 'node:fs/promises'
import { isObject } from './http/exchange.js'
import { matches } from './model/check.js'
import type { CheckResult } from './model/result.js'
import { UsageError } from './target/manifest.js'

/** A failure that is known. */
export type BaselineEntry = {
  /** An id, a beginning of ids, or a beginning with `*`. */
  readonly check: string
  /**
   * How many checks of that beginning are red, when it stands for a class: more are unexpected, fewer make it stale. A class
   * says what is known of a release without saying how to use it.
   */
  readonly count?: number
  /** `flaky` may pass or fail; `failing` that passes is stale. */
  readonly kind: 'failing' | 'flaky'
  /** Where it is followed up, or why it is as it is. */
  readonly issue: string
  /** Not a day longer: `2027-01-31`. */
  readonly until?: string
}

/** What is known to fail. The form of `x402-baseline.json`. */
export type Baseline = { readonly target?: string; readonly entries: readonly BaselineEntry[] }

/** Results beside what was known of them. */
export type Judgement = {
  /** Red, and not in the baseline. */
  readonly unexpected: readonly CheckResult[]
  /** Red, and known. */
  readonly known: readonly CheckResult[]
  /** Entries that no longer hold: all that they name passes, or nothing has that name, or their day is over. */
  readonly stale: readonly { readonly entry: BaselineEntry; readonly why: string }[]
}

/** Red are failures, what could not be tested, and faults of the kit. */
export const isRed = ({ status }: Pick<CheckResult, 'status'>): boolean =>
  status === 'fail' || status === 'untestable' || status === 'harness-error'

/**
 * Holds results against a baseline. `partial`: only some checks were run, so an entry that names none of them is not stale.
 */
export function judge(results: readonly CheckResult[], baseline: Baseline, today: string, partial = false): Judgement {
  const inForce = baseline.entries.filter(({ until }) => until === undefined || until >= today)
  const over = baseline.entries.filter((entry) => !inForce.includes(entry))
  const red = results.filter(isRed)
  const redOf = ({ check }: BaselineEntry) => red.filter((result) => matches(check, result.check))
  const grown = (entry: BaselineEntry) => entry.count !== undefined && redOf(entry).length > entry.count
  const isKnown = ({ check }: CheckResult) => inForce.some((entry) => matches(entry.check, check) && !grown(entry))
  const stale = inForce.flatMap((entry) => {
    const named = results.filter(({ check }) => matches(entry.check, check))
    if (named.length === 0) return partial ? [] : [{ entry, why: 'no check has this name' }]
    if (entry.kind !== 'failing') return []
    const { length } = redOf(entry)
    if (length === 0) return [{ entry, why: 'it passes now' }]
    const fewer = entry.count !== undefined && length < entry.count && !partial
    return fewer ? [{ entry, why: `${length} are red now, not ${entry.count}` }] : []
  })
  return {
    unexpected: red.filter((result) => !isKnown(result)),
    known: red.filter(isKnown),
    stale: [...stale, ...over.map((entry) => ({ entry, why: `its day was ${entry.until}` }))],
  }
}

/** Reads a baseline. Throws `UsageError`. */
export async function readBaseline(file: string): Promise<Baseline> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new UsageError(`${file} is no baseline: it cannot be read as JSON`, { cause })
  }
  const entries = isObject(value) ? value.entries : undefined
  if (!Array.isArray(entries)) throw new UsageError(`${file} is no baseline: \`entries\` is missing`)
  for (const entry of entries) {
    const right =
      isObject(entry) &&
      typeof entry.check === 'string' &&
      (entry.kind === 'failing' || entry.kind === 'flaky') &&
      typeof entry.issue === 'string' &&
      entry.issue !== '' &&
      (entry.count === undefined || Number.isSafeInteger(entry.count))
    if (!right) throw new UsageError(`${file}: an entry needs \`check\`, \`kind\` (failing, flaky) and \`issue\``)
  }
  // Looked at above.
  return value as unknown as Baseline
}

/** A baseline that knows how many are red in each area of the specification, and not which: it can be published. */
export function classesOf(results: readonly CheckResult[], target: string): Baseline {
  const reds = results.filter(isRed).map(({ requirement, role }) => ({ area: requirement.replace(/\d+$/, ''), role }))
  const areas = [...new Set(reds.map(({ area }) => area))].sort()
  const entries = areas.map((area): BaselineEntry => {
    const roles = [...new Set(reds.filter((each) => each.area === area).map(({ role }) => role))]
    const count = reds.filter((each) => each.area === area).length
    return { check: `${area}*`, kind: 'failing', count, issue: `of the ${roles.join(' and the ')}` }
  })
  return { target, entries }
}

/** A baseline that knows all that is red. */
export function baselineOf(results: readonly CheckResult[], target: string): Baseline {
  const entries = results.filter(isRed).map(
    ({ check, finding }): BaselineEntry => ({
      check,
      kind: 'failing',
      issue: finding?.what ?? 'not looked into yet',
    }),
  )
  return { target, entries: entries.sort((a, b) => a.check.localeCompare(b.check)) }
}
