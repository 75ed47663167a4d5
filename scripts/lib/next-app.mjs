import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pnpm } from './pnpm.mjs'
import { Failure, phase } from './progress.mjs'
import { root } from './root.mjs'
import { run } from './run.mjs'

const NEXT_QUIET = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' }

/** What the app imports; what these need comes along. */
const PACKAGES = ['@groat/core', '@groat/rpc', '@groat/evm', '@groat/server']

/** Makes a project of the example, with our packages as they would be published and Next.js with its compiler, as anybody installs it. */
export async function createNextApp() {
  const folder = mkdtempSync(join(tmpdir(), 'groat-next-'))
  try {
    cpSync(join(root, 'examples/sellers/next-app'), folder, { recursive: true })
    const filters = PACKAGES.flatMap((name) => ['--filter', name])
    await must('packing', pnpm(['-r', ...filters, 'pack', '--pack-destination', folder]))
    const tarballs = Object.fromEntries(
      readdirSync(folder)
        .filter((file) => file.endsWith('.tgz'))
        .map((file) => [
          PACKAGES.find((name) => file.startsWith(`${name.replace('@', '').replace('/', '-')}-`)),
          `file:${file}`,
        ]),
    )
    // React as Next.js asks for it.
    const versions = { next: versionOf('next'), react: '^19.0.0', 'react-dom': '^19.0.0' }
    const dependencies = { ...tarballs, ...versions }
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }))
    await phase('installing Next.js', () =>
      must('the install', run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder })),
    )
    return folder
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

/** `next build`. */
export const buildNextApp = (folder) =>
  phase('next build', () => must('next build', run('npx', ['next', 'build'], { cwd: folder, env: NEXT_QUIET })))

/** `next start`: resolves when it answers, with its origin and a way to stop it. */
export async function startNextApp(folder, settings) {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const program = join(folder, 'node_modules/next/dist/bin/next')
  const child = spawn(process.execPath, [program, 'start', '-p', String(port), '-H', '127.0.0.1'], {
    cwd: folder,
    env: { ...NEXT_QUIET, ...settings, ORIGIN: origin },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(String(chunk)))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break
    if (
      await fetch(`${origin}/weather`).then(
        (response) => response.status === 402,
        () => false,
      )
    )
      return { origin, stop }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await stop()
  throw new Failure(`${said.join('')}groat: next start does not sell`)
}

async function must(what, running) {
  const { code, output } = await running
  if (code !== 0) throw new Failure(`${output}\ngroat: ${what} failed`)
}

/** The version that the tests run too. */
function versionOf(name) {
  const [, version] =
    new RegExp(`^ {2}"?${name}"?: (\\S+)$`, 'm').exec(readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')) ?? []
  if (version === undefined) throw new Failure(`groat: the catalog has no ${name}`)
  return version
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
