import type { CheckResult } from '../model/result.js'
import { requirements } from '../spec/requirements.js'
import { unseen } from '../spec/unseen.js'
import { areaOf } from './junit.js'
import type { RunRecord } from './read.js'

/** Passed and counted checks of one profile. Warnings pass; what does not apply is not counted. */
export function scoreOf(
  results: readonly CheckResult[],
  profile: 'core' | 'hardening',
): { readonly passed: number; readonly of: number } {
  const counted = results.filter((each) => each.profile === profile && each.status !== 'not-applicable')
  return { passed: counted.filter(({ status }) => status === 'pass' || status === 'warn').length, of: counted.length }
}

/** The endpoint of a badge at shields.io. */
export function renderBadge({ header, results }: RunRecord): string {
  const { passed, of } = scoreOf(results, 'core')
  const message = `${passed} of ${of}`
  const color = of > 0 && passed === of ? 'brightgreen' : passed >= of * 0.9 ? 'yellow' : 'red'
  return `${JSON.stringify({ schemaVersion: 1, label: `x402 core ${header.specification}`, message, color })}\n`
}

/** A matrix for a README: areas down, targets across. */
export function renderMarkdown(runs: readonly RunRecord[]): string {
  const areas = [
    ...new Set(runs.flatMap(({ results }) => results.map(({ requirement }) => areaOf(requirement)))),
  ].sort()
  const names = runs.map(({ header: { target } }) => `${target.name} ${target.version ?? ''}`.trim())
  const cell = ({ results }: RunRecord, area: string) => {
    const of = results.filter(({ requirement }) => areaOf(requirement) === area)
    const core = scoreOf(of, 'core')
    const hard = scoreOf(of, 'hardening')
    return [core, hard].map((score) => (score.of === 0 ? '–' : `${score.passed}/${score.of}`)).join(' · ')
  }
  const rows = areas.map((area) => `| ${area} | ${runs.map((each) => cell(each, area)).join(' | ')} |`)
  const [first] = runs
  return `${[
    `x402 conformance, core · hardening; suite ${first?.header.suite}, specification ${first?.header.specification}, seed ${first?.header.seed}`,
    '',
    `| area | ${names.join(' | ')} |`,
    `| --- | ${names.map(() => '---').join(' | ')} |`,
    ...rows,
  ].join('\n')}\n`
}

/**
 * Which requirements of the specification a run looked at, and which it did not: those whose checks did not apply to the target, and those that no check looks at, of which
 * some say why.
 */
export function renderCoverage({ results }: RunRecord): string {
  const applied = new Set(
    results.filter(({ status }) => status !== 'not-applicable').map(({ requirement }) => requirement),
  )
  const played = new Set(results.map(({ requirement }) => requirement))
  const all = [...requirements.keys()]
  const tested = all.filter((id) => applied.has(id))
  const found = {
    requirements: all.length,
    tested: tested.length,
    testedIds: tested,
    notApplicable: all.filter((id) => played.has(id) && !applied.has(id)),
    others: all.filter((id) => !played.has(id)),
    reasons: unseen,
  }
  return `${JSON.stringify(found, undefined, 1)}\n`
}

/** Areas of the specification that a target has nothing of: every check of them did not apply. */
export function absentAreas(results: readonly CheckResult[]): readonly string[] {
  const applied = new Set(
    results.filter(({ status }) => status !== 'not-applicable').map(({ requirement }) => areaOf(requirement)),
  )
  const all = new Set(results.map(({ requirement }) => areaOf(requirement)))
  return [...all].filter((area) => !applied.has(area)).sort()
}
