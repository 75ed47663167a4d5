import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.mjs'

/** The built command line. */
export const cli = join(root, 'packages/cli/dist/bin.js')

/** Runs the kit in a process of its own and ends it when its time is over. Resolves `{ code, late }`. */
export function conform(args, { minutes, quiet = false }) {
  return new Promise((resolve) => {
    const stdio = ['ignore', quiet ? 'ignore' : 'inherit', 'inherit']
    const child = spawn(process.execPath, [cli, 'conform', ...args], { cwd: root, stdio })
    let late = false
    const stop = setTimeout(() => {
      late = true
      // The kit stops what it started first; one that does not is ended.
      child.kill('SIGTERM')
      setTimeout(() => child.kill('SIGKILL'), 30_000).unref()
    }, minutes * 60_000)
    child.on('error', () => resolve({ code: 127, late }))
    child.on('close', (code) => {
      clearTimeout(stop)
      resolve({ code: code ?? 1, late })
    })
  })
}

/** The results of a report, as far as the run got. */
export const resultsIn = (report) => eventsIn(report).filter(({ type }) => type === 'result')

/** The last line of a run that came to its end. */
export const summaryIn = (report) => eventsIn(report).find(({ type }) => type === 'summary')

function eventsIn(report) {
  const file = join(report, 'results.ndjson')
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line))
}
