import { join } from 'node:path'
import { isLocked, withLock } from './lock.mjs'
import { Failure, phase } from './progress.mjs'
import { root } from './root.mjs'
import { cores, pooled, run } from './run.mjs'
import { findStale, markBuilt } from './stale.mjs'
import { closureOf, findWorkspaces, isBuilt } from './workspaces.mjs'

/**
 * Builds the JavaScript that `name` runs, where it is stale. No declarations: nothing at run time reads them, and
 * without them no package waits for another.
 */
export async function ensureRunnable(name) {
  const findIts = () => findStale(closureOf(name).filter(isBuilt))
  // What another process is building is not there, however fresh it looks.
  if (findIts().length === 0 && !isLocked(lockFile)) return
  await aloneBuilding(async () => {
    const stale = findIts()
    if (stale.length === 0) return
    await phase(`building ${stale.length} ${stale.length === 1 ? 'package' : 'packages'}`, async () => {
      const results = await pooled(stale, cores, buildOne)
      const failed = results.findIndex(({ code }) => code !== 0)
      if (failed >= 0) throw new Failure(`${results[failed].output}groat: ${stale[failed].name} does not build`)
      markBuilt(stale)
    })
  })
}

const lockFile = join(root, 'node_modules/.groat-build.lock')

/** Two builds at once take each other's results away: the second waits, and then finds what the first has made. */
function aloneBuilding(work) {
  return withLock(lockFile, work, {
    onWait: () => process.stderr.write('groat: waiting for another build of this clone …\n'),
  })
}

/** Runs the steps of a package's build, until one fails. */
async function buildOne(workspace) {
  let result
  for (const step of buildSteps(workspace)) {
    result = await run(process.execPath, step, { cwd: workspace.dir })
    if (result.code !== 0) break
  }
  return result
}

/** The steps of a package's build as programs of Node: `groat-build`, and what its script has to make behind it. */
export function buildSteps({ name, manifest }) {
  return manifest.scripts.build.split(' && ').map((step) => {
    const [program, ...args] = step.split(' ')
    if (program === 'groat-build') return [join(root, 'tooling/build.mjs'), ...args]
    if (program === 'node') return args
    throw new Failure(`groat: ${name} builds by ${program}, which is neither groat-build nor node`)
  })
}

/** Builds all packages whole, JavaScript and declarations, through turbo's cache. */
export async function buildAll() {
  await aloneBuilding(async () => {
    const { code, output } = await turbo(['run', 'build', 'declarations', '--output-logs=errors-only', '--ui=stream'])
    if (code !== 0) throw new Failure(`${output}groat: the build failed`)
    markBuilt(findWorkspaces().filter(isBuilt))
  })
}

async function turbo(args) {
  const quiet = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' }
  const { pnpm } = await import('./pnpm.mjs')
  // Through pnpm, because turbo starts each package's script with the pnpm that it finds on the path.
  return pnpm(['exec', 'turbo', ...args], { env: { ...process.env, ...quiet } })
}
