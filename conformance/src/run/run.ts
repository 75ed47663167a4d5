import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Rail } from '../chain/rail.js'
import { openClientSession } from '../client/session.js'
import { type NodeUrls, openFacilitator } from '../facilitator/session.js'
import { createHttp } from '../http/exchange.js'
import { openLibrary } from '../library/session.js'
import { matches, requirementOf } from '../model/check.js'
import { Outcome } from '../model/finding.js'
import type { Counterexample } from '../model/property.js'
import type { ChainDiff, CheckResult, Exchange, Family, Profile, Role, Status } from '../model/result.js'
import type { Regression } from '../regressions.js'
import { openPaidUrl, openServer } from '../server/session.js'
import { requirement, specification } from '../spec/requirements.js'
import type { Target } from '../target/manifest.js'
import { createPatience, type Job, type Session } from './session.js'

/** What to run, and how. */
export type RunOptions = {
  readonly target: Target
  /** The roles to test; those of the target unless told. */
  readonly roles?: readonly Role[]
  /** `core`, the default, or `hardening`, which is core and more. */
  readonly profile?: Profile
  /** The root of all that is drawn; every check has a seed of its own made from it. */
  readonly seed?: number
  /** Tries of each property; 100 unless told. */
  readonly runs?: number
  /** Makes a SHOULD that is not met a failure. */
  readonly strict?: boolean
  /** Checks to run: ids or beginnings of ids with `*`. */
  readonly only?: readonly string[]
  /** Families of chains; all that the target serves unless told. */
  readonly families?: readonly Family[]
  /** Nodes that run already. */
  readonly nodes?: NodeUrls
  /** Chains of the caller to run on, which it stops itself; chains of the run's own unless told. */
  readonly rails?: readonly Rail[]
  /** Checks at the same time; 4 unless told. */
  readonly concurrency?: number
  /** Milliseconds after which a target that does not answer is not waited for; each request has its own limit unless told. */
  readonly answerMs?: number
  /** Counterexamples of earlier runs; each is tried before anything is drawn. */
  readonly regressions?: readonly Regression[]
  /** Continues a property at a counterexample. */
  readonly path?: string
  /** Breaks the run off: what was started is stopped, and there is no summary. */
  readonly signal?: AbortSignal
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

/** What is known when a run begins; the first line of `results.ndjson`. */
export type RunHeader = {
  readonly type: 'run'
  readonly suite: string
  readonly specification: string
  readonly upstream: string
  readonly target: { readonly name: string; readonly version?: string; readonly language?: string }
  readonly profile: Profile
  readonly seed: number
  readonly runs: number
  readonly checks: number
  readonly at: string
}

/** How many checks came to what; the last line. */
export type RunSummary = {
  readonly type: 'summary'
  readonly ms: number
  readonly counts: Readonly<Record<Status, number>>
}

/** A line of `results.ndjson`. */
export type RunEvent = RunHeader | CheckResult | RunSummary

/** The version of the kit. */
export const suiteVersion = '0.1.0'

/**
 * Tests a target and yields what is found, as it is found. Throws `UnreachableError` when the target or a chain cannot
 * be reached, `UsageError` when there is nothing to run.
 *
 * @example
 * ```ts
 * for await (const event of run({ target: { name: 'mine', roles: { facilitator: { url } } } })) {
 *   if (event.type === 'result' && event.status === 'fail') console.log(event.check, event.finding?.what)
 * }
 * ```
 */
export async function* run(options: RunOptions): AsyncGenerator<RunEvent> {
  const { target, profile = 'core', seed = 1, runs = 100, concurrency = 4, clock = Date.now } = options
  const began = clock()
  // Every request that is under way listens.
  if (options.signal !== undefined) setMaxListeners(0, options.signal)
  const sessions: { readonly role: Role; readonly session: Session }[] = []
  const counts: Record<Status, number> = {
    pass: 0,
    fail: 0,
    warn: 0,
    'not-applicable': 0,
    untestable: 0,
    'harness-error': 0,
  }
  try {
    for (const role of rolesOf(options)) sessions.push({ role, session: await open(role, options) })
    const groups = sessions.map(({ session }) => session.jobs.filter((job) => isWanted(job.id, profile, options.only)))
    yield {
      type: 'run',
      suite: suiteVersion,
      specification: specification.edition,
      upstream: specification.upstream,
      target: describe(target),
      profile,
      seed,
      runs,
      checks: groups.flat().length,
      at: new Date(began).toISOString(),
    }
    for (const [at, jobs] of groups.entries()) {
      const patience = createPatience()
      const ended = () => sessions[at]?.session.ended?.()
      const play = (job: Job) =>
        playJob(job, { seed: seedOf(seed, job.id), rootSeed: seed, runs, patience, ended, options })
      const [alone, together] = [jobs.filter(({ check }) => check.alone), jobs.filter(({ check }) => !check.alone)]
      for (const [some, width] of [
        [together, concurrency],
        [alone, 1],
      ] as const) {
        for await (const result of pooled(some, width, play, options.signal)) {
          counts[result.status] += 1
          yield result
        }
      }
    }
    if (options.signal?.aborted) return
  } finally {
    for (const { session } of sessions.reverse()) await session.close()
  }
  yield { type: 'summary', ms: clock() - began, counts }
}

/** The seed of one check: leaving others out does not change it. */
export function seedOf(root: number, id: string): number {
  return createHash('sha256').update(`${root} ${id}`).digest().readInt32BE(0)
}

/** Whether an id is meant by patterns such as `FAC-031` or `EVM-*`, or is in the profile. */
function isWanted(id: string, profile: Profile, only: readonly string[] | undefined): boolean {
  if (only !== undefined) return only.some((pattern) => matches(pattern, id))
  return profile === 'hardening' || requirement(requirementOf(id)).profile === 'core'
}

function rolesOf({ target, roles }: RunOptions): readonly Role[] {
  const there = (['facilitator', 'server', 'client', 'library'] as const).filter(
    (role) => target.roles[role] !== undefined,
  )
  return roles === undefined ? there : there.filter((role) => roles.includes(role))
}

async function open(role: Role, { target, nodes = {}, families, rails, answerMs }: RunOptions): Promise<Session> {
  const { supports, roles } = target
  const common = {
    nodes,
    ...(supports === undefined ? {} : { supports }),
    ...(families === undefined ? {} : { only: families }),
    ...(rails === undefined ? {} : { rails }),
  }
  const limit = answerMs === undefined ? {} : { answerMs }
  if (role === 'facilitator' && roles.facilitator) return openFacilitator(roles.facilitator, { ...common, ...limit })
  if (role === 'server' && roles.server) {
    if ('url' in roles.server) return openPaidUrl(roles.server.url)
    return openServer(roles.server, { ...common, ...(target.routes === undefined ? {} : { routes: target.routes }) })
  }
  if (role === 'client' && roles.client) return openClientSession(roles.client, { ...common, ...limit })
  if (role === 'library' && roles.library) return openLibrary(roles.library, answerMs)
  return { jobs: [], close: async () => {} }
}

const describe = ({ name, version, language }: Target) => ({
  name,
  ...(version === undefined ? {} : { version }),
  ...(language === undefined ? {} : { language }),
})

type Play = {
  readonly seed: number
  readonly rootSeed: number
  readonly runs: number
  readonly patience: ReturnType<typeof createPatience>
  readonly ended: () => string | undefined
  readonly options: RunOptions
}

/** No check takes longer, whatever the target does. */
const mostMs = 180_000
const mostExchanges = 40

async function playJob(
  job: Job,
  { seed, rootSeed, runs, patience, ended: endOf, options }: Play,
): Promise<CheckResult> {
  const began = performance.now()
  const trace: Exchange[] = []
  let ended = async (): Promise<readonly ChainDiff[]> => []
  const note = (exchange: Omit<Exchange, 'at'>) => {
    trace.push({ at: Math.round(performance.now() - began), ...exchange })
    if (trace.length > mostExchanges) trace.shift()
  }
  const { answerMs } = options
  const http = createHttp({
    note,
    heard: patience.heard,
    isGone: patience.isGone,
    ended: endOf,
    signal: options.signal,
    ...(answerMs === undefined ? {} : { limits: { mostMs: answerMs } }),
  })
  const context = {
    http,
    seed,
    runs,
    ...(options.path === undefined ? {} : { path: options.path }),
    regressions: (options.regressions ?? []).filter(({ check }) => check === job.id),
    note,
    onEnd: (diffs: () => Promise<readonly ChainDiff[]>) => {
      ended = diffs
    },
  }
  const found = await outcomeOf(job, () => job.play(context))
  const chain = await ended().catch(() => [])
  const id = requirementOf(job.id)
  const { level, profile, violation } = requirement(id)
  const status = gradeOf(found.status, level, options.strict === true)
  return {
    type: 'result',
    check: job.id,
    requirement: id,
    role: job.check.role,
    kind: job.check.kind,
    profile,
    level,
    title: job.check.title,
    status,
    ms: Math.round(performance.now() - began),
    ...(found.finding === undefined ? {} : { finding: found.finding }),
    ...(status === 'pass'
      ? {}
      : {
          hint: violation,
          replay: `${job.id}:${rootSeed}${found.path === undefined ? '' : `:${shortOf(found.path)}`}`,
        }),
    ...(found.counterexample === undefined ? {} : { counterexample: found.counterexample }),
    ...(found.path === undefined ? {} : { path: found.path, pathSeed: found.pathSeed ?? seed }),
    ...(trace.length === 0 ? {} : { trace }),
    ...(chain.length === 0 ? {} : { chain }),
  }
}

type Ended = Pick<CheckResult, 'status' | 'finding' | 'counterexample' | 'path' | 'pathSeed'>

async function outcomeOf(job: Job, play: () => Promise<void>): Promise<Ended> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Outcome('fail', { what: `the check did not end within ${mostMs / 1000} s` })),
      mostMs,
    )
  })
  try {
    await Promise.race([play(), late])
    return { status: 'pass' }
  } catch (error) {
    if (error instanceof Outcome) {
      const { counterexample, found } = error as Outcome & Partial<Pick<Counterexample, 'counterexample' | 'found'>>
      return {
        status: error.status,
        finding: error.finding,
        ...(counterexample === undefined ? {} : { counterexample }),
        ...(found === undefined ? {} : { path: found.path, pathSeed: found.seed }),
      }
    }
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return {
      status: 'harness-error',
      finding: { what: `the kit failed in ${job.id}`, saw: why.split('\n').slice(0, 4).join(' | ') },
    }
  } finally {
    clearTimeout(timer)
  }
}

/** A SHOULD that is not met is a warning, unless warnings count. */
function gradeOf(status: Status, level: string, strict: boolean): Status {
  if (status === 'fail' && level.startsWith('SHOULD') && !strict) return 'warn'
  return status === 'warn' && strict ? 'fail' : status
}

const shortOf = (path: string) => createHash('sha256').update(path).digest('hex').slice(0, 4)

/** The results of jobs, a few at a time, as they come, until the signal breaks them off. */
async function* pooled<T>(
  jobs: readonly Job[],
  width: number,
  play: (job: Job) => Promise<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  const rest = [...jobs]
  const broken = new Promise<undefined>((resolve) => signal?.addEventListener('abort', () => resolve(undefined)))
  const running = new Map<Job, Promise<readonly [Job, T]>>()
  for (;;) {
    while (running.size < width) {
      const job = rest.shift()
      if (job === undefined) break
      running.set(
        job,
        play(job).then((result) => [job, result] as const),
      )
    }
    if (running.size === 0 || signal?.aborted) return
    const ended = await Promise.race([broken, ...running.values()])
    if (ended === undefined) return
    const [job, result] = ended
    running.delete(job)
    yield result
  }
}
