import { join } from 'node:path'
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
  const stale = findStale(closureOf(name).filter(isBuilt))
  if (stale.length === 0) return
  await phase(`building ${stale.length} packages`, async () => {
    const results = await pooled(stale, cores, (workspace) =>
      run(process.execPath, [join(root, 'tooling/build.mjs')], { cwd: workspace.dir }),
    )
    const failed = results.findIndex(({ code }) => code !== 0)
    if (failed >= 0) throw new Failure(`${results[failed].output}groat: ${stale[failed].name} does not build`)
    markBuilt(stale)
  })
}

/** Builds all packages whole, JavaScript and declarations, through turbo's cache. */
export async function buildAll() {
  const { code, output } = await turbo(['run', 'build', 'declarations', '--output-logs=errors-only', '--ui=stream'])
  if (code !== 0) throw new Failure(`${output}groat: the build failed`)
  markBuilt(findWorkspaces().filter(isBuilt))
}

async function turbo(args) {
  const quiet = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' }
  const { pnpm } = await import('./pnpm.mjs')
  // Through pnpm, because turbo starts each package's script with the pnpm that it finds on the path.
  return pnpm(['exec', 'turbo', ...args], { env: { ...process.env, ...quiet } })
}
