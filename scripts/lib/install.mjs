import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pnpm } from './pnpm.mjs'
import { Failure, phase } from './progress.mjs'
import { root } from './root.mjs'
import { closureOf, findWorkspaces } from './workspaces.mjs'

/** What `npm start` and `npm run groat` run. The rest, 1 GB of peers and tools, only `npm test` needs. */
export const cliScope = '@groat/cli...'
export const fullScope = 'full'

/**
 * Installs `scope` from the frozen lockfile, unless it is there already.
 * A full install serves every scope, also one that somebody made by hand with pnpm.
 */
export async function ensureInstalled(scope, { base = root, install = pnpmInstall } = {}) {
  if (isInstalled(scope, base)) return
  const what = scope === fullScope ? 'installing everything' : 'installing what it runs'
  await phase(what, () => install(scope))
  writeStamp(scope, base)
}

/** True when node_modules holds `scope` as the lockfile and the manifests of this moment ask for it. */
export function isInstalled(scope, base = root) {
  const wanted = read(join(base, 'pnpm-lock.yaml'))
  const installed = read(join(base, 'node_modules/.pnpm/lock.yaml'))
  if (!installed || !isLinked(scope, base)) return false
  // pnpm keeps the lockfile of what it installed; only after a full install is it the whole file.
  if (installed === wanted) return true
  const stamp = readStamp(base)
  return (
    stamp !== undefined &&
    (stamp.scope === scope || stamp.scope === fullScope) &&
    stamp.wanted === inputsDigest(base) &&
    stamp.installed === digest(installed)
  )
}

/** True when every workspace of the scope that needs a node_modules has one; a `git clean` takes them one by one. */
function isLinked(scope, base) {
  const all = findWorkspaces(base)
  const workspaces = scope === fullScope ? all : closureOf(scope.replace(/\.\.\.$/, ''), all)
  return workspaces
    .filter(({ manifest }) => ['dependencies', 'devDependencies'].some((kind) => manifest[kind] !== undefined))
    .every(({ dir }) => existsSync(join(dir, 'node_modules')))
}

/** Notes what was installed, and the state of node_modules that the note is about. */
export function writeStamp(scope, base = root) {
  const installed = digest(read(join(base, 'node_modules/.pnpm/lock.yaml')))
  mkdirSync(join(base, 'node_modules'), { recursive: true })
  writeFileSync(stampFile(base), `${JSON.stringify({ scope, wanted: inputsDigest(base), installed })}\n`)
}

async function pnpmInstall(scope) {
  const filter = scope === fullScope ? [] : ['--filter', scope]
  const args = ['install', '--frozen-lockfile', '--prefer-offline', '--config.confirm-modules-purge=false', ...filter]
  const { code, output } = await pnpm(args)
  if (code !== 0) throw new Failure(`${output.trimEnd()}\ngroat: the install failed (pnpm ${args.join(' ')})`)
}

const stampFile = (base) => join(base, 'node_modules/.groat-install.json')

function readStamp(base) {
  try {
    return JSON.parse(read(stampFile(base)))
  } catch {
    return undefined
  }
}

/** Everything that decides what an install makes: lockfile, workspace settings, manifests. */
function inputsDigest(base) {
  const manifests = findWorkspaces(base).map(({ path }) => `${path}/package.json`)
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc', 'package.json', ...manifests.sort()]
  return digest(files.map((file) => `${file}\0${read(join(base, file))}`).join('\0'))
}

const digest = (text) => createHash('sha256').update(text).digest('hex')

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
