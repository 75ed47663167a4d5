import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { filesBelow } from './files.mjs'
import { root } from './root.mjs'

/**
 * Which packages must be built again: those whose sources differ from what was built, or whose `dist` is not what
 * that build left. Sources go by content, so a checkout that only touches times costs nothing.
 */
export function findStale(workspaces, { base = root } = {}) {
  const stamps = readStamps(base)
  return workspaces.filter((workspace) => {
    const stamp = stamps[workspace.name]
    return stamp?.sources !== sourcesDigest(workspace.dir, base) || stamp.dist !== distDigest(workspace.dir)
  })
}

/** Notes that these packages are built from the sources as they are. */
export function markBuilt(workspaces, { base = root } = {}) {
  const stamps = readStamps(base)
  for (const { name, dir } of workspaces) {
    stamps[name] = { sources: sourcesDigest(dir, base), dist: distDigest(dir) }
  }
  mkdirSync(dirname(stampFile(base)), { recursive: true })
  writeFileSync(stampFile(base), `${JSON.stringify(stamps, undefined, 1)}\n`)
}

const stampFile = (base) => join(base, 'node_modules/.groat-build.json')

function readStamps(base) {
  try {
    return JSON.parse(readFileSync(stampFile(base), 'utf8'))
  } catch {
    return {}
  }
}

function sourcesDigest(dir, base) {
  const hash = createHash('sha256')
  const files = [
    ...filesBelow(join(dir, 'src')).filter((file) => !/\.(test|bench|test-d)\.ts$/.test(file)),
    ...filesBelow(join(dir, 'page')),
    join(dir, 'package.json'),
    join(base, 'tsconfig.base.json'),
    join(base, 'tooling/build.mjs'),
  ]
  for (const file of files) {
    if (existsSync(file)) hash.update(file.slice(base.length)).update('\0').update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

/** By time and size: only a change since the last build matters here, and the files are many. Declarations do not run. */
function distDigest(dir) {
  const files = filesBelow(join(dir, 'dist')).filter((file) => file.endsWith('.js'))
  if (files.length === 0) return 'nothing built'
  const hash = createHash('sha256')
  for (const file of files) {
    const { size, mtimeMs } = statSync(file)
    hash.update(`${file.slice(dir.length)}\0${size}\0${mtimeMs}\0`)
  }
  return hash.digest('hex')
}
