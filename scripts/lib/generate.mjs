import { cores, pooled, run } from './run.mjs'
import { findWorkspaces } from './workspaces.mjs'

/** Runs the `gen` script of every workspace that has one. Returns what each printed: `[{ path, code, output }]`. */
export function runGenerators(args = []) {
  const generators = findWorkspaces().filter(({ manifest }) => manifest.scripts?.gen !== undefined)
  return pooled(generators, cores, async ({ dir, path }) => ({
    path,
    ...(await run('npm', ['run', '--silent', 'gen', '--', ...args], { cwd: dir })),
  }))
}
