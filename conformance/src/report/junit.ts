import { isRed } from '../baseline.js'
import { formatFinding } from '../model/finding.js'
import type { CheckResult } from '../model/result.js'
import type { RunRecord } from './read.js'

/** A run as JUnit's XML: a suite for each area, a case for each check. */
export function renderJunit({ header, results, summary }: RunRecord): string {
  const areas = groupBy(results)
  const suites = [...areas].map(([area, cases]) => {
    const failures = cases.filter(isRed).length
    const skipped = cases.filter(({ status }) => status === 'not-applicable').length
    const attributes = `name="${encodeText(area)}" tests="${cases.length}" failures="${failures}" skipped="${skipped}" time="${seconds(cases)}"`
    return `  <testsuite ${attributes}>\n${cases.map((each) => renderCase(each, area)).join('\n')}\n  </testsuite>`
  })
  const { name, version = '' } = header.target
  const title = encodeText(`${name} ${version}`.trim())
  const red = results.filter(isRed).length
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${title}" tests="${results.length}" failures="${red}" time="${(summary?.ms ?? 0) / 1000}">
${suites.join('\n')}
</testsuites>
`
}

function renderCase(result: CheckResult, area: string): string {
  const { check, status, finding, hint = '', replay = '', ms } = result
  const open = `    <testcase classname="${encodeText(area)}" name="${encodeText(check)}" time="${ms / 1000}"`
  if (status === 'pass') return `${open}/>`
  const text = encodeText(finding === undefined ? status : formatFinding(finding))
  if (status === 'not-applicable') return `${open}><skipped message="${text}"/></testcase>`
  if (status === 'warn') return `${open}><system-out>warning: ${text}</system-out></testcase>`
  const more = encodeText(
    `${formatFinding(finding ?? { what: status })}\nwhat it means: ${hint}\nreplay: groat conform replay ${replay}`,
  )
  return `${open}><failure type="${status}" message="${text}">${more}</failure></testcase>`
}

/** `FAC` of `FAC-031`. */
export const areaOf = (requirement: string): string => requirement.replace(/-\d+$/, '')

function groupBy(results: readonly CheckResult[]): Map<string, CheckResult[]> {
  const areas = new Map<string, CheckResult[]>()
  for (const result of results)
    areas.set(areaOf(result.requirement), [...(areas.get(areaOf(result.requirement)) ?? []), result])
  return areas
}

const seconds = (results: readonly CheckResult[]) => results.reduce((sum, { ms }) => sum + ms, 0) / 1000

const encodeText = (text: string) =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 cannot hold them, and targets send them.
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
