import { access, constants, type FileHandle, mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Baseline, isRed, type Judgement, judge } from './baseline.js'
import type { CheckResult } from './model/result.js'
import { readRegressions, writeRegressions } from './regressions.js'
import { renderHtml } from './report/html.js'
import { renderJunit } from './report/junit.js'
import { type RunRecord, recordOf } from './report/read.js'
import { renderBadge, renderCoverage, renderMarkdown } from './report/summary.js'
import { type RunEvent, type RunOptions, run } from './run/run.js'
import { UsageError } from './target/manifest.js'

/** Exit codes of `groat conform`. */
export const conformExit = {
  expected: 0,
  unexpected: 1,
  stale: 2,
  unreachable: 3,
  usage: 64,
  interrupted: 130,
} as const

/** A run, what was known before, and where to write. */
export type ConformOptions = RunOptions & {
  readonly baseline?: Baseline
  /** The folder of the report; nothing is written without one. */
  readonly report?: string
  /** The folder of regressions: they are tried first, and what is found is written there. */
  readonly regressionsIn?: string
  /** Told of every event as it comes. */
  readonly onEvent?: (event: RunEvent) => void
}

/** What came of it. */
export type Conformance = Judgement & { readonly record: RunRecord; readonly exitCode: number }

/**
 * Tests a target, writes the report as it goes, and says how a script should take it: 0 as expected, 1 something red that
 * is not in the baseline, 2 a baseline that no longer holds, 130 broken off by the signal. Throws `UnreachableError` and `UsageError`.
 *
 * @example
 * ```ts
 * const { exitCode, unexpected } = await conform({ target: { name: 'mine', roles: { facilitator: { url } } }, report: 'report' })
 * ```
 */
export async function conform(options: ConformOptions): Promise<Conformance> {
  const { baseline = { entries: [] }, report, onEvent = () => {}, clock = Date.now } = options
  const events: RunEvent[] = []
  if (report !== undefined) await prepare(report)
  // Written line by line: a run that is cut off has told what it found until then. Opened when there is something to tell: a target
  // that does not start leaves the report of the run before as it is.
  let file: FileHandle | undefined
  try {
    const earlier = options.regressionsIn === undefined ? [] : await readRegressions(options.regressionsIn)
    const regressions = [...(options.regressions ?? []), ...earlier]
    for await (const event of run({ ...options, regressions })) {
      if (event.type === 'run' && event.checks === 0) throw new UsageError(nothingChosen(options))
      events.push(event)
      if (report !== undefined) file ??= await open(join(report, 'results.ndjson'), 'w')
      await file?.write(`${JSON.stringify(event)}\n`)
      onEvent(event)
    }
  } finally {
    await file?.close()
  }
  const interrupted = options.signal?.aborted === true
  const record = recordOf(events)
  if (interrupted && report !== undefined) await writeReports(report, record)
  if (interrupted) return { unexpected: [], known: [], stale: [], record, exitCode: conformExit.interrupted }
  if (report !== undefined) await writeReports(report, record)
  if (options.regressionsIn !== undefined) await writeRegressions(options.regressionsIn, record.results)
  const today = new Date(clock()).toISOString().slice(0, 10)
  const partial =
    options.only !== undefined ||
    options.families !== undefined ||
    options.roles !== undefined ||
    options.profile !== 'hardening'
  const judgement = judge(record.results, baseline, today, partial)
  return { ...judgement, record, exitCode: exitCodeOf(judgement) }
}

/** The folder of a report, before minutes are spent on what could not be written there. Throws `UsageError`. */
async function prepare(report: string): Promise<void> {
  try {
    await mkdir(report, { recursive: true })
    await access(report, constants.W_OK)
  } catch (cause) {
    throw new UsageError(`the report cannot be written to ${report}`, { cause })
  }
}

/** Writes what is rendered from a run beside its `results.ndjson`. */
export async function writeReports(folder: string, record: RunRecord): Promise<void> {
  const files = {
    'junit.xml': renderJunit(record),
    'report.html': renderHtml([record]),
    'badge.json': renderBadge(record),
    'matrix.md': renderMarkdown([record]),
    'coverage.json': renderCoverage(record),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
}

function nothingChosen({ only, target }: ConformOptions): string {
  if (only === undefined) return 'no check was chosen'
  const roles = Object.keys(target.roles).join(' and the ')
  return `no check of the ${roles} is meant by ${only.join(' ')}; \`groat conform list\` has their ids, and a star ends a beginning: FAC-*`
}

function exitCodeOf({ unexpected, stale }: Judgement): number {
  if (unexpected.length > 0) return conformExit.unexpected
  return stale.length > 0 ? conformExit.stale : conformExit.expected
}

/** What a replay token means: the check, the root seed, and the path to a counterexample if there is one. */
export type Replay = { readonly check: string; readonly seed: number; readonly path?: string }

/**
 * Reads a token such as `FAC-031/twice/evm:7` or `SEC-003/any-body:7:k3f9`. The path behind a short name is looked up in
 * the results of an earlier run. Throws `UsageError`.
 */
export async function readReplay(token: string, resultsFile?: string): Promise<Replay> {
  const [check, seed, ...rest] = token.split(':')
  if (check === undefined || !/^-?\d+$/.test(seed ?? '')) {
    throw new UsageError(`${token} is no replay token; one looks like FAC-031/twice/evm:7`)
  }
  const common = { check, seed: Number(seed) }
  if (rest.length === 0) return common
  const path = rest.join(':')
  if (/^[\d:]+$/.test(path) && rest.length > 1) return { ...common, path }
  const text = resultsFile === undefined ? '' : await readFile(resultsFile, 'utf8').catch(() => '')
  const found = text
    .split('\n')
    .filter((line) => line.includes(JSON.stringify(token)))
    .map((line) => JSON.parse(line) as CheckResult)
    .find(({ replay }) => replay === token)
  // Without the path the property is run whole, with the same seed, and finds the same.
  return found?.path === undefined ? common : { ...common, path: found.path }
}

/** The last line of a run: `142 passed, 0 failed, 3 skipped`. */
export function closingLine(results: readonly CheckResult[]): string {
  const failed = results.filter(isRed).length
  const skipped = results.filter(({ status }) => status === 'not-applicable').length
  const warned = results.filter(({ status }) => status === 'warn').length
  const passed = results.length - failed - skipped
  return `${passed} passed, ${failed} failed, ${skipped} skipped${warned > 0 ? `, ${warned} of the passed with a warning` : ''}`
}
