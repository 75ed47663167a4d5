import { existsSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { filesBelow } from './files.mjs'
import { importsOf, loadedImportsOf, packageOf } from './imports.mjs'
import { root } from './root.mjs'

/**
 * Who may use whom at run time. `groat`: which of our packages; `only`: the third-party packages it may have as
 * dependencies, where that is limited. Peers that a user brings along (a framework, a database) are not limited.
 */
export const arrows = {
  '@groat/core': { groat: [], only: ['undici', 'zod'] },
  '@groat/store': { groat: ['@groat/core'] },
  '@groat/rpc': { groat: ['@groat/core'], only: [] },
  '@groat/evm': { groat: ['@groat/core', '@groat/rpc', '@groat/store'] },
  '@groat/svm': { groat: ['@groat/core', '@groat/rpc'] },
  '@groat/extensions': { groat: ['@groat/core', '@groat/evm', '@groat/store', '@groat/svm'] },
  '@groat/client': { groat: ['@groat/core', '@groat/store'], only: [] },
  '@groat/server': { groat: ['@groat/core', '@groat/store'], only: [] },
  '@groat/a2a': { groat: ['@groat/client', '@groat/core', '@groat/server'], only: [] },
  '@groat/mcp': { groat: ['@groat/client', '@groat/core', '@groat/server'], only: [] },
  '@groat/facilitator': { groat: ['@groat/core', '@groat/extensions', '@groat/store'] },
  '@groat/sandbox': { groat: [] },
  '@groat/spec': { groat: [] },
  // It signs and encodes by itself, so that a fault of ours cannot certify itself.
  '@groat/conformance': { groat: ['@groat/sandbox', '@groat/spec'] },
  '@groat/cli': {
    groat: [
      '@groat/client',
      '@groat/conformance',
      '@groat/core',
      '@groat/evm',
      '@groat/extensions',
      '@groat/facilitator',
      '@groat/sandbox',
      '@groat/server',
      '@groat/store',
      '@groat/svm',
    ],
  },
}

/** Where a public package breaks the arrows, in its manifest or in what its shipped sources import. */
export function brokenArrows(workspaces, { rules = arrows, base = root } = {}) {
  return workspaces.flatMap((workspace) => {
    const rule = rules[workspace.name]
    if (!rule) return [`${workspace.path}: ${workspace.name} is not in the table of arrows`]
    return [
      ...manifestProblems(workspace, rule),
      ...importProblems(workspace, rule, base),
      ...optionalPeerProblems(workspace, base),
    ]
  })
}

function manifestProblems({ path, name, manifest }, rule) {
  const problems = []
  for (const dependency of Object.keys(runtimeDependencies(manifest))) {
    if (isOurs(dependency)) {
      if (!rule.groat.includes(dependency))
        problems.push(`${path}/package.json: ${name} must not depend on ${dependency}`)
    } else if (rule.only && !rule.only.includes(dependency) && manifest.peerDependencies?.[dependency] === undefined) {
      problems.push(`${path}/package.json: ${name} must not depend on ${dependency} at run time`)
    }
  }
  return problems
}

function importProblems({ dir, name, manifest }, rule, base) {
  const declared = runtimeDependencies(manifest)
  return shippedSources(dir).flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      const at = `${relative(base, file)}: imports ${specifier}`
      const target = packageOf(specifier)
      if (target === undefined)
        return leavesPackage(file, specifier, dir) ? [`${at}, which is outside its package`] : []
      if (target === name) return [`${at}, which is its own package; use a relative path`]
      if (isOurs(target) && !rule.groat.includes(target)) return [`${at}, against the arrows`]
      // Data from a development dependency is put into the build, so nothing is missing at run time.
      if (declared[target] === undefined && !specifier.endsWith('.json')) return [`${at}, which it does not depend on`]
      return []
    }),
  )
}

/** Those who use a package of ours without its optional peer of ours can load all of it: types are free, `import()` can say what is missing. */
function optionalPeerProblems({ dir, manifest }, base) {
  const optional = (name) => manifest.peerDependenciesMeta?.[name]?.optional === true && isOurs(name)
  return shippedSources(dir).flatMap((file) =>
    loadedImportsOf(file)
      .filter((specifier) => optional(packageOf(specifier)))
      .map((specifier) => `${relative(base, file)}: loads ${specifier}, an optional peer that may be missing`),
  )
}

const isOurs = (name) => name.startsWith('@groat/')

const runtimeDependencies = (manifest) => ({
  ...manifest.dependencies,
  ...manifest.optionalDependencies,
  ...manifest.peerDependencies,
})

const shippedSources = (dir) =>
  filesBelow(join(dir, 'src')).filter((file) => /\.tsx?$/.test(file) && !/\.(test|bench|test-d)\.tsx?$/.test(file))

function leavesPackage(file, specifier, dir) {
  if (!specifier.startsWith('.')) return isAbsolute(specifier) && existsSync(specifier)
  return relative(dir, resolve(file, '..', specifier)).startsWith('..')
}
