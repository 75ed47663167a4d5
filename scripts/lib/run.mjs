import { spawn } from 'node:child_process'
import os from 'node:os'
import { pathToFileURL } from 'node:url'
import { root } from './root.mjs'

/** How many programs make sense at once. Not a named import: an old Node would stop at it before it hears what it lacks. */
export const cores = os.availableParallelism?.() ?? 2

/**
 * Runs a program to its end. Resolves `{ code, output }`; `output` is empty when stdio is inherited.
 * A program that cannot be started resolves with code 127 and the reason as its output.
 */
export function run(command, args, { cwd = root, env = process.env, stdio = 'pipe' } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', stdio, stdio], shell: needsShell(command) })
    const chunks = []
    child.stdout?.on('data', (chunk) => chunks.push(chunk))
    child.stderr?.on('data', (chunk) => chunks.push(chunk))
    child.on('error', (error) => resolve({ code: 127, output: error.message }))
    child.on('close', (code, signal) => {
      resolve({ code: code ?? (signal ? 1 : 0), output: Buffer.concat(chunks).toString() })
    })
  })
}

/**
 * Becomes another program as far as Node can: same terminal, signals passed on, same exit code.
 * Never returns to its caller in the happy case.
 */
export function become(command, args, options = {}) {
  // A program of Node ends by itself when this process is killed outright; of any other nobody knows.
  const own = command === process.execPath ? ['--import', new URL('end-with-parent.mjs', import.meta.url).href] : []
  const child = spawn(command, [...own, ...args], { stdio: 'inherit', ...options })
  // A terminal sends Ctrl-C to the whole group; passing it on as well would interrupt the child's orderly stop.
  const passed = process.stdin.isTTY ? ['SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of passed) process.on(signal, () => child.kill(signal))
  if (process.stdin.isTTY) process.on('SIGINT', () => undefined)
  whenOrphaned(() => child.kill('SIGTERM'))
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`)
      process.exitCode = 127
      resolve()
    })
    child.on('close', (code, signal) => {
      process.exitCode = code ?? 128 + (signalNumbers[signal] ?? 0)
      resolve()
    })
  })
}

/**
 * Turns into another program of Node, in this process: whoever ends it, in whatever way, leaves no other behind. The program takes signals by
 * itself, and sets the exit code.
 */
export async function turnInto(file, args) {
  whenOrphaned(() => process.kill(process.pid, 'SIGTERM'))
  process.argv.splice(1, process.argv.length, file, ...args)
  await import(pathToFileURL(file).href)
}

/** npm runs scripts in a shell that keeps signals to itself: whoever ends npm leaves us without a parent, and that is the message. */
function whenOrphaned(stop) {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    stop()
  }, 250)
  watch.unref()
}

/** Runs `job` over `items`, at most `width` at a time, and keeps their order. */
export async function pooled(items, width, job) {
  const results = new Array(items.length)
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await job(items[index])
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker))
  return results
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

// npm and npx are .cmd files on Windows, which Node refuses to start without a shell.
const needsShell = (command) => process.platform === 'win32' && ['npm', 'npx'].includes(command)
