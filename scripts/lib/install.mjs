import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pnpm } from './pnpm.mjs'
import { Failure, phase } from './progress.mjs'
import { root } from './root.mjs'
import { closureOf, findWorkspaces } from './workspaces.mjs'

/** What `npm start` and `npm run groat` run, and what builds it: no test, no tool, no peer to compare with. */
export const runScope = 'run'
/** Everything, which is over half a gigabyte more; only `npm test` and its like need it. */
export const fullScope = 'full'

/**
 * Installs `scope` from the frozen lockfile, unless it is there already.
 * A full install serves every scope, also one that somebody made by hand with pnpm.
 */
export async function ensureInstalled(scope, { base = root, install = pnpmInstall } = {}) {
  if (isInstalled(scope, base)) return
  await phase(scopes[scope].what, () => install(scope))
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

/** Notes what was installed, and the state of node_modules that the note is about. */
export function writeStamp(scope, base = root) {
  const installed = digest(read(join(base, 'node_modules/.pnpm/lock.yaml')))
  mkdirSync(join(base, 'node_modules'), { recursive: true })
  writeFileSync(stampFile(base), `${JSON.stringify({ scope, wanted: inputsDigest(base), installed })}\n`)
}

const scopes = {
  [runScope]: {
    what: 'installing what it runs',
    args: ['--prod', '--filter-prod', '@groat/cli...', '--filter', '@groat/tooling'],
    workspaces: (all) => [...closureOf('@groat/cli', all), ...closureOf('@groat/tooling', all)],
    kinds: ['dependencies'],
  },
  [fullScope]: {
    what: 'installing everything',
    args: [],
    workspaces: (all) => all,
    kinds: ['dependencies', 'devDependencies'],
  },
}

async function pnpmInstall(scope) {
  const options = ['--frozen-lockfile', '--prefer-offline', '--config.confirm-modules-purge=false']
  const args = ['install', ...options, ...scopes[scope].args]
  const { code, output } = await pnpm(args)
  if (code !== 0) throw new Failure(`${output.trimEnd()}\ngroat: the install failed (pnpm ${args.join(' ')})`)
}

/** True when every workspace of the scope that needs a node_modules has one; a `git clean` takes them one by one. */
function isLinked(scope, base) {
  const { workspaces, kinds } = scopes[scope]
  return workspaces(findWorkspaces(base))
    .filter(({ manifest }) => kinds.some((kind) => manifest[kind] !== undefined))
    .every(({ dir }) => existsSync(join(dir, 'node_modules')))
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
  const settings = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', '.pnpmfile.cjs', '.npmrc', 'package.json']
  return digest([...settings, ...manifests.sort()].map((file) => `${file}\0${read(join(base, file))}`).join('\0'))
}

const digest = (text) => createHash('sha256').update(text).digest('hex')

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
