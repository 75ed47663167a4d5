import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  absentAreas,
  allChecks,
  baselineOf,
  type CheckResult,
  type Conformance,
  classesOf,
  closingLine,
  conform,
  explain,
  type Family,
  formatFinding,
  isRed,
  judge,
  matches,
  oneLine,
  type Profile,
  type Role,
  type RunEvent,
  readBaseline,
  readReplay,
  readRuns,
  readTarget,
  renderHtml,
  renderMarkdown,
  scoreOf,
  type Target,
  UnreachableError,
  UsageError,
} from '@groat/conformance'
import { findSandbox } from '../sandbox/announce.js'
import { counted } from '../terminal/counted.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, formatDuration, type Io } from '../terminal/io.js'

/** Options of `groat conform`. */
export type ConformCommand = {
  readonly facilitator?: string
  readonly server?: string
  readonly target?: string
  readonly role?: readonly Role[]
  readonly report?: string
  readonly profile?: Profile
  readonly seed?: number
  readonly runs?: number
  readonly only?: readonly string[]
  readonly chain?: readonly Family[]
  readonly evmRpc?: string
  readonly svmRpc?: string
  readonly baseline?: string
  readonly strict?: boolean
  readonly regressions?: string
  readonly verbose?: boolean
  readonly json?: boolean
  readonly classes?: boolean
}

/** `groat conform`: tests, tells what is red, writes the report. */
export async function runConform(options: ConformCommand, io: Io): Promise<number> {
  return withUsage(async () => {
    const { report, profile, seed, runs, only, chain, baseline, strict, role, regressions } = options
    const target = await targetOf(options)
    const conformance = await conform({
      target,
      nodes: await nodesOf(options, io),
      ...given({ report, profile, seed, runs, only, strict, families: chain, roles: role, regressionsIn: regressions }),
      ...(baseline === undefined ? {} : { baseline: await readBaseline(baseline) }),
      onEvent: tell(options, io),
      signal: signalOf(io),
    })
    conclude(conformance, options, io)
    return conformance.exitCode
  })
}

/** `groat conform list`. */
export function listChecks({ role, only, profile, json }: ConformCommand, io: Io): number {
  const chosen = allChecks().filter(
    (each) =>
      (role?.includes(each.role) ?? true) &&
      (only?.some((pattern) => matches(pattern, each.id)) ?? true) &&
      (profile === 'hardening' || each.profile === 'core' || only !== undefined),
  )
  if (json) for (const each of chosen) io.out(`${JSON.stringify(each)}\n`)
  else
    for (const line of columns(chosen.map(({ id, role: of, kind, title }) => [id, of, kind, title])))
      io.out(`${line}\n`)
  return exitCodes.ok
}

/** `groat conform explain ID`. */
export function explainRequirement(id: string, io: Io): number {
  try {
    io.out(`${explain(id)}\n`)
    return exitCodes.ok
  } catch (error) {
    throw asCliError(error)
  }
}

/** `groat conform replay TOKEN`. */
export async function replay(token: string, options: ConformCommand, io: Io): Promise<number> {
  return withUsage(async () => {
    const results = options.report === undefined ? undefined : join(options.report, 'results.ndjson')
    const { check, seed, path } = await readReplay(token, results)
    const target = await targetOf(options)
    const nodes = await nodesOf(options, io)
    const more = given({ runs: options.runs, path })
    const conformance = await conform({
      target,
      nodes,
      seed,
      only: [check],
      ...more,
      onEvent: tell(options, io),
      signal: signalOf(io),
    })
    for (const result of conformance.record.results) explainResult(result, { ...options, verbose: true }, io)
    return conformance.exitCode
  })
}

/** `groat conform baseline write|check FILE`. */
export async function baseline(action: string, file: string, options: ConformCommand, io: Io): Promise<number> {
  const { report: folder, classes = false } = options
  return withUsage(async () => {
    if (folder === undefined) throw new UsageError('--report says which results are meant')
    const [run] = await readRuns(folder)
    if (run === undefined) throw new UsageError(`${folder} has no results`)
    if (action === 'write') {
      const known = (classes ? classesOf : baselineOf)(run.results, run.header.target.name)
      await writeFile(file, `${JSON.stringify(known, undefined, 2)}\n`)
      const more = known.entries.length === 0 ? '' : '; say in `issue` of each where it is followed up'
      const { length } = known.entries
      io.say(`${file}: ${classes ? counted(length, 'class', 'classes') : counted(length, 'failure')} known now${more}`)
      return exitCodes.ok
    }
    if (action !== 'check') throw new UsageError('the action is write or check')
    const { unexpected, stale } = judge(run.results, await readBaseline(file), new Date().toISOString().slice(0, 10))
    for (const result of unexpected) explainResult(result, options, io)
    for (const { entry, why } of stale) io.out(`STALE ${entry.check}  ${why}\n`)
    return unexpected.length > 0 ? 1 : stale.length > 0 ? 2 : 0
  })
}

/** `groat conform report`. */
export async function report(options: { in: string; html: string; markdown?: string }, io: Io): Promise<number> {
  return withUsage(async () => {
    const runs = await readRuns(options.in)
    await writeFile(options.html, renderHtml(runs))
    if (options.markdown !== undefined) await writeFile(options.markdown, renderMarkdown(runs))
    io.say(`${options.html}: ${runs.length} runs`)
    return exitCodes.ok
  })
}

async function targetOf({ facilitator, server, target }: ConformCommand): Promise<Target> {
  const chosen = [facilitator, server, target].filter((each) => each !== undefined)
  if (chosen.length !== 1) throw new UsageError('name one of --facilitator URL, --server URL, --target FILE')
  if (target !== undefined) return readTarget(target)
  const url = asUrl(facilitator ?? server ?? '')
  return { name: url, roles: facilitator === undefined ? { server: { url } } : { facilitator: { url } } }
}

function asUrl(text: string): string {
  try {
    const { protocol } = new URL(text)
    if (protocol === 'http:' || protocol === 'https:') return text
  } catch {
    // Told below.
  }
  throw new UsageError(`${text} is no http(s) URL`)
}

/** The nodes that were named; else those of the sandbox whose facilitator it is. */
async function nodesOf({ facilitator, evmRpc, svmRpc }: ConformCommand, { environment }: Io) {
  const found = facilitator === undefined ? {} : await findSandbox(facilitator)
  return given({
    evm: evmRpc ?? (environment.GROAT_EVM_RPC_URL || found.evm),
    svm: svmRpc ?? (environment.GROAT_SVM_RPC_URL || found.svm),
  })
}

/** JSON lines for programs, a line of progress for a person who looks on, and nothing where the output is piped. */
function tell({ json = false }: ConformCommand, io: Io): (event: RunEvent) => void {
  let [done, red, all] = [0, 0, 0]
  let name = ''
  return (event) => {
    if (json) return io.out(`${JSON.stringify(event)}\n`)
    if (event.type === 'run') {
      all = event.checks
      name = event.target.name
      io.progress?.(`${name}: ${counted(all, 'check')}, seed ${event.seed}`)
    }
    if (event.type !== 'result') return
    done += 1
    if (isRed(event)) red += 1
    io.progress?.(`${name}: ${done} of ${all}${red > 0 ? `, ${red} red` : ''}  ${event.check}`)
  }
}

/** Breaks a run off when the process is told to stop, so that what it started does not outlive it. */
function signalOf({ stopped }: Io): AbortSignal {
  const controller = new AbortController()
  void stopped.then(() => controller.abort())
  return controller.signal
}

function conclude({ record, unexpected, known, stale }: Conformance, options: ConformCommand, io: Io): void {
  const { json, verbose = false, report: folder } = options
  if (json) return
  const { header, results, summary } = record
  if (summary === undefined) io.say(`broken off after ${results.length} of ${counted(header.checks, 'check')}`)
  const score = (profile: Profile) => {
    const { passed, of } = scoreOf(results, profile)
    return of === 0 ? [] : [`${profile} ${passed} of ${of}`]
  }
  if (options.server !== undefined) sayUnsold(options.server, results, io)
  const facts = [...score('core'), ...score('hardening'), `seed ${header.seed}`, formatDuration(summary?.ms ?? 0)]
  io.out(`  ${facts.join('   ')}\n`)
  for (const alike of verbose ? unexpected.map((each) => [each]) : inGroups(unexpected)) {
    if (alike.length < FEW) for (const result of alike) explainResult(result, options, io)
    else explainTogether(alike, options, io)
  }
  for (const { check, finding } of known) io.out(`KNOWN ${check}  ${oneLine(finding?.what ?? '')}\n`)
  for (const { entry, why } of stale) io.out(`STALE ${entry.check}  ${why}; take it out of the baseline\n`)
  const absent = absentAreas(results)
  if (absent.length > 0 && (folder !== undefined || verbose))
    io.say(io.style.quiet(`  the target has nothing of ${absent.join(', ')}: their checks do not apply`))
  if (folder !== undefined) io.say(io.style.quiet(`  report: ${join(folder, 'report.html')}`))
  io.out(`${closingLine(results)}\n`)
}

/** Where nothing is sold, what the checks say of it is no news: that comes first. */
function sayUnsold(url: string, results: readonly CheckResult[], io: Io): void {
  const exchanges = results.flatMap(({ trace = [] }) => trace)
  const answers = exchanges.flatMap(({ method, status }) => (method === 'GET' && status !== undefined ? [status] : []))
  if (answers.length === 0 || exchanges.some(({ status }) => status === 402)) return
  const said = [...new Set(answers)].join(', ')
  io.out(`  ${url} answers ${said} and never 402: nothing is sold there. Name a route that has a price.\n`)
}

/** The command that plays a check again, against the same target. */
function replayOf(token: string, { target, facilitator, server, evmRpc, svmRpc }: ConformCommand): string {
  const [option, value] = [
    ['--target', target],
    ['--facilitator', facilitator],
    ['--server', server],
  ].find(([, each]) => each !== undefined) ?? ['', '']
  const nodes = [
    ['--evm-rpc', evmRpc],
    ['--svm-rpc', svmRpc],
  ].flatMap(([name, url]) => (url === undefined ? [] : [`${name} ${url}`]))
  return [`groat conform replay ${token} ${option} ${value}`.trimEnd(), ...nodes].join(' ')
}

/** So many checks with one finding are told in one line. */
const FEW = 4

/** Results of one status and one finding, in the order of their first. */
function inGroups(results: readonly CheckResult[]): readonly (readonly CheckResult[])[] {
  const groups = new Map<string, CheckResult[]>()
  for (const result of results) {
    const key = JSON.stringify([result.status, result.finding])
    groups.set(key, [...(groups.get(key) ?? []), result])
  }
  return [...groups.values()]
}

function explainTogether(alike: readonly CheckResult[], options: ConformCommand, io: Io): void {
  const [first] = alike
  if (first === undefined) return
  const { status, finding, replay: token } = first
  io.out(`${status.toUpperCase()}  ${alike.length} checks  ${finding === undefined ? '' : formatFinding(finding)}\n`)
  io.out(`      ${alike.map(({ check }) => check).join(' ')}\n`)
  if (token !== undefined) io.out(`      replay the first: ${replayOf(token, options)}\n`)
}

function explainResult(result: CheckResult, options: ConformCommand, io: Io): void {
  const { check, status, finding, replay: token, trace = [], hint } = result
  const word = isRed(result) ? (status === 'fail' ? 'FAIL ' : status.toUpperCase()) : status.toUpperCase()
  io.out(`${word} ${check}  ${finding === undefined ? result.title : formatFinding(finding)}\n`)
  if (token !== undefined) io.out(`      replay: ${replayOf(token, options)}\n`)
  if (options.verbose !== true) return
  if (hint !== undefined) io.out(`      what it means: ${hint}\n`)
  for (const { at, method, url, requestBody = '', status: answered, failure, responseBody = '' } of trace) {
    io.out(`      ${at} ms  ${method} ${oneLine(url)}  ${answered ?? failure ?? ''}\n`)
    if (requestBody !== '') io.out(`        > ${oneLine(requestBody)}\n`)
    if (responseBody !== '') io.out(`        < ${oneLine(responseBody)}\n`)
  }
}

/** Only what has a value. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // The members that are undefined are left out.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
}

async function withUsage(work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    throw asCliError(error)
  }
}

function asCliError(error: unknown): unknown {
  if (error instanceof UsageError) return new CliError('usage', error.message, undefined, { cause: error })
  if (error instanceof UnreachableError) return new CliError('unreachable', error.message, undefined, { cause: error })
  return error
}
