import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { readManifest, root } from './root.mjs'

/**
 * Every workspace of a repository: `{ name, dir, path, manifest }`, with `path` relative to its root.
 * Reads the `packages:` list of pnpm-workspace.yaml, which is a plain list of folders and `folder/*`.
 */
export function findWorkspaces(base = root) {
  return workspaceGlobs(readFileSync(join(base, 'pnpm-workspace.yaml'), 'utf8'))
    .flatMap((glob) => expand(base, glob))
    .filter((dir) => existsSync(join(dir, 'package.json')))
    .map((dir) => {
      const manifest = readManifest(dir)
      return { name: manifest.name, dir, path: relative(base, dir).split(sep).join('/'), manifest }
    })
}

/** The workspaces that `name` needs at run time, itself included: what pnpm selects as `--filter-prod name...`. */
export function closureOf(name, workspaces = findWorkspaces()) {
  const byName = new Map(workspaces.map((workspace) => [workspace.name, workspace]))
  const found = new Set()
  const visit = (wanted) => {
    const workspace = byName.get(wanted)
    if (!workspace || found.has(workspace)) return
    found.add(workspace)
    for (const kind of ['dependencies', 'optionalDependencies']) {
      for (const dependency of Object.keys(workspace.manifest[kind] ?? {})) visit(dependency)
    }
  }
  visit(name)
  return [...found]
}

export const dependencyKinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']

/** A workspace with something to build. */
export const isBuilt = (workspace) => workspace.manifest.scripts?.build !== undefined

/** A workspace that goes to the registry. */
export const isPublic = (workspace) => workspace.manifest.private !== true

function workspaceGlobs(yaml) {
  const list = /^packages:\n((?: +- .+\n)+)/m.exec(yaml)?.[1] ?? ''
  return list
    .trim()
    .split('\n')
    .map((line) => line.trim().replace(/^- /, '').replaceAll(/["']/g, ''))
}

function expand(base, glob) {
  if (!glob.endsWith('/*')) return [join(base, glob)]
  const parent = join(base, glob.slice(0, -2))
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(parent, entry.name))
    .sort()
}
