import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow } from './files.mjs'
import { root } from './root.mjs'
import { dependencyKinds, isPublic } from './workspaces.mjs'

/** Versions are named once, in the catalog: what a manifest may say instead is `catalog:` or `workspace:`. */
export function strayVersions(workspaces) {
  return workspaces.flatMap(({ path, manifest }) =>
    dependencyKinds
      .filter((kind) => kind !== 'peerDependencies')
      .flatMap((kind) => Object.entries(manifest[kind] ?? {}))
      .filter(([, version]) => version !== 'catalog:' && !version.startsWith('workspace:'))
      .map(([name, version]) => `${path}/package.json: ${name} is ${version}; versions belong in the catalog`),
  )
}

/** What the catalog names and nobody uses. */
export function unusedCatalogEntries(workspaces, base = root) {
  const used = new Set(
    workspaces.flatMap(({ manifest }) => dependencyKinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}))),
  )
  return catalogNames(base)
    .filter((name) => !used.has(name))
    .map((name) => `pnpm-workspace.yaml: the catalog has ${name}, which nothing uses`)
}

/**
 * Dependencies whose name no file of the workspace ever says. `@types/x` serves `x`, and what a package of ours wants beside it serves that package. The examples of the READMEs are the bench
 * folder's.
 */
export function unusedDependencies(workspaces) {
  const textOf = (dir, pattern) =>
    filesBelow(dir)
      .filter((file) => pattern.test(file))
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n')
  const peersOf = new Map(workspaces.map(({ name, manifest }) => [name, Object.keys(manifest.peerDependencies ?? {})]))
  return workspaces.flatMap(({ dir, path, manifest }) => {
    const wanted = new Set(Object.keys(manifest.dependencies ?? {}).flatMap((name) => peersOf.get(name) ?? []))
    const examples = path === 'bench' ? workspaces.map((each) => textOf(each.dir, /README\.md$/)) : []
    const text = [textOf(dir, /\.(ts|tsx|mts|js|mjs|cjs)$/), ...examples].join('\n')
    const scripts = Object.values(manifest.scripts ?? {}).join('\n')
    const isUsed = (name) => text.includes(`'${name}`) || scripts.includes(name.split('/').at(-1))
    return ['dependencies', 'devDependencies', 'optionalDependencies']
      .flatMap((kind) => Object.keys(manifest[kind] ?? {}))
      .filter((name) => name !== '@groat/tooling' && !wanted.has(name) && !isUsed(name.replace(/^@types\//, '')))
      .map((name) => `${path}/package.json: depends on ${name} and never says its name`)
  })
}

/** What every published package must have, so that the registry page and the release are whole. */
export function incompleteManifests(workspaces) {
  const published = workspaces.filter(isPublic)
  const versions = new Set(published.map(({ manifest }) => manifest.version))
  const differing =
    versions.size > 1 ? [`the public packages share one version; there are ${[...versions].join(', ')}`] : []
  return [
    ...differing,
    ...published.flatMap(({ dir, path, manifest }) => {
      const missing = ['description', 'license', 'type', 'files', 'exports', 'publishConfig'].filter(
        (key) => !manifest[key],
      )
      if (!filesBelow(dir).includes(join(dir, 'README.md'))) missing.push('a README.md')
      return missing.map((what) => `${path}: ${what} is missing`)
    }),
  ]
}

/** Every runtime dependency has its line, and its reason, in the table of decision 9. */
export function unexplainedDependencies(workspaces, base = root) {
  const table = readFileSync(join(base, 'docs/adr/0009-dependencies.md'), 'utf8')
  const names = workspaces
    .filter(isPublic)
    .flatMap(({ manifest }) => Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }))
    .filter((name) => !name.startsWith('@groat/'))
  return [...new Set(names)]
    .filter((name) => !table.includes(`| ${name} `))
    .map((name) => `docs/adr/0009-dependencies.md: ${name} has no line`)
}

/** One version for all: the fixed group of the changesets names every public package, and no other. */
export function fixedGroupProblems(workspaces, base = root) {
  const { fixed } = JSON.parse(readFileSync(join(base, '.changeset/config.json'), 'utf8'))
  const names = workspaces.filter(isPublic).map(({ name }) => name)
  const grouped = fixed.flat()
  return [
    ...names
      .filter((name) => !grouped.includes(name))
      .map((name) => `.changeset/config.json: ${name} is not in the group`),
    ...grouped.filter((name) => !names.includes(name)).map((name) => `.changeset/config.json: ${name} does not exist`),
  ]
}

function catalogNames(base) {
  const yaml = readFileSync(join(base, 'pnpm-workspace.yaml'), 'utf8')
  const block = /^catalog:\n((?: +.+\n)+)/m.exec(yaml)?.[1] ?? ''
  return [...block.matchAll(/^ +"?([^":]+)"?:/gm)].map(([, name]) => name)
}
