import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { isObject } from '../http/exchange.js'
import { parseJson } from '../model/json.js'
import type { Endpoint, Opened } from './manifest.js'

/** The target cannot be started or reached at all; exit code 3. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

/** A command that the kit started. */
export type Started = {
  /** The next line of standard output; undefined when there is none in time, or the process has ended. */
  line(timeoutMs: number): Promise<string | undefined>
  write(line: string): void
  /** The end of what it wrote to standard error. */
  complaints(): string
  /** How it ended, and its last words; undefined while it runs. */
  ended(): string | undefined
  stop(): Promise<void>
}

const readyTimeoutMs = 60_000

/** Starts or finds what listens. Throws `UnreachableError`. */
export async function openEndpoint(endpoint: Endpoint, env: Readonly<Record<string, string>>): Promise<Opened> {
  if ('url' in endpoint) return { url: endpoint.url, close: async () => {} }
  if ('open' in endpoint) return endpoint.open(env)
  const started = startCommand(endpoint.start, { ...env, ...endpoint.env }, endpoint.cwd)
  const until = Date.now() + readyTimeoutMs
  for (;;) {
    const line = await started.line(until - Date.now())
    if (line === undefined) {
      await started.stop()
      throw new UnreachableError(
        `\`${endpoint.start}\` did not say {"ready":{"url":…}}\n${started.complaints()}`.trimEnd(),
      )
    }
    const url = readyUrl(line)
    if (url !== undefined) return { url, close: () => started.stop(), ended: () => started.ended() }
  }
}

/** A program that is started again when it has ended: a crash is a finding of one check, and not of all that follow. */
export type Lasting = {
  /** Where it listens now. */
  url(): Promise<string>
  close(): Promise<void>
  ended(): string | undefined
}

/** Whoever ends that often is not started again. */
const mostStarts = 20

/** Opens what listens, and keeps it running. Throws `UnreachableError` when it does not start the first time. */
export async function openLasting(endpoint: Endpoint, env: Readonly<Record<string, string>>): Promise<Lasting> {
  let opened = await openEndpoint(endpoint, env)
  let starts = 1
  let starting: Promise<void> | undefined
  const again = async () => {
    starts += 1
    const next = await openEndpoint(endpoint, env).catch(() => undefined)
    if (next !== undefined) opened = next
    starting = undefined
  }
  return {
    async url() {
      if (opened.ended?.() !== undefined && starts < mostStarts) starting ??= again()
      await starting
      return opened.url
    },
    close: () => opened.close(),
    ended: () => opened.ended?.(),
  }
}

/** Starts a command in a shell, in a process group of its own. */
export function startCommand(command: string, env: Readonly<Record<string, string>>, cwd?: string): Started {
  const child = spawn(command, {
    shell: true,
    detached: process.platform !== 'win32',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  })
  child.once('exit', guard(child))
  const lines: string[] = []
  const waiting: ((line: string | undefined) => void)[] = []
  let complaints = ''
  let ended = false
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    const next = waiting.shift()
    if (next) next(line)
    else if (lines.length < 10_000) lines.push(line)
  })
  const end = () => {
    ended = true
    for (const next of waiting.splice(0)) next(undefined)
  }
  reader.on('close', end)
  child.on('error', end)
  // A target that has ended reads nothing more.
  child.stdin.on('error', () => {})
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString('utf8')).slice(-4_000)
  })
  return {
    complaints: () => complaints,
    ended() {
      const { exitCode, signalCode } = child
      if (exitCode === null && signalCode === null) return undefined
      return `its process has ended (${signalCode ?? `exit ${exitCode}`})${lastWords(complaints)}`
    },
    write: (line) => void child.stdin.write(`${line}\n`),
    line(timeoutMs) {
      const first = lines.shift()
      if (first !== undefined || ended) return Promise.resolve(first)
      return new Promise((resolve) => {
        const next = (line: string | undefined) => {
          clearTimeout(timer)
          resolve(line)
        }
        const timer = setTimeout(
          () => {
            waiting.splice(waiting.indexOf(next), 1)
            resolve(undefined)
          },
          Math.max(0, timeoutMs),
        )
        waiting.push(next)
      })
    },
    stop: () => stop(child),
  }
}

/**
 * A shell that waits on a pipe from the kit: however the kit ends, kill -9 included, the system closes the pipe, and the shell ends the group of the
 * command. What a command leaves behind in its group when it ends is ended there and then, while the number is still its own.
 */
function guard({ pid }: ChildProcess): () => void {
  if (pid === undefined || process.platform === 'win32') return () => {}
  const guardian = spawn('/bin/sh', ['-c', 'read _; kill -9 "-$0"', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  // Without a shell the command runs all the same, and only a kit that is killed leaves it behind.
  guardian.on('error', () => {})
  guardian.unref()
  return () => {
    guardian.kill('SIGKILL')
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Nobody was left.
    }
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const gone = once(child, 'exit')
  const signal = (name: NodeJS.Signals) => {
    try {
      if (process.platform === 'win32' || child.pid === undefined) child.kill(name)
      else process.kill(-child.pid, name)
    } catch {
      // It has ended meanwhile.
    }
  }
  signal('SIGTERM')
  const timer = setTimeout(() => signal('SIGKILL'), 5_000)
  await gone
  clearTimeout(timer)
}

/** The line that names the error, or else the last one. */
function lastWords(complaints: string): string {
  const lines = complaints.split('\n').map((line) => line.trim())
  const told = lines.filter((line) => line !== '' && !/^(at |Node\.js v|\^)/.test(line))
  const line = told.findLast((each) => /\b\w*(Error|Exception|panic)\b/.test(each)) ?? told.at(-1)
  return line === undefined ? '' : `: ${line.slice(0, 160)}`
}

function readyUrl(line: string): string | undefined {
  const value = parseJson(line)
  const ready = isObject(value) ? value.ready : undefined
  return isObject(ready) && typeof ready.url === 'string' ? ready.url : undefined
}
