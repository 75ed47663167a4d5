import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './progress.mjs'
import { root } from './root.mjs'
import { cores, pooled, run } from './run.mjs'

/**
 * Runs every check of scripts/checks, each a program of its own, and prints a line for each with its time.
 * Returns `{ passed, failed }`.
 */
export async function runChecks({ only = [], print = (line) => process.stdout.write(`${line}\n`) } = {}) {
  const checks = chosenChecks(only)
  const outcomes = await pooled(checks, cores, async (name) => {
    const started = performance.now()
    const { code, output } = await run(process.execPath, [join(root, 'scripts/checks', `${name}.mjs`)])
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    print(`check ${name}: ${code === 0 ? 'ok' : 'FAILED'} in ${seconds} s`)
    if (code !== 0) print(output.trimEnd())
    return code === 0
  })
  const passed = outcomes.filter(Boolean).length
  return { passed, failed: outcomes.length - passed }
}

/** The checks of these names, or all of them. Fails when a name is none. */
export function chosenChecks(only) {
  const names = checkNames()
  const unknown = only.find((name) => !names.includes(name))
  if (unknown === undefined) return names.filter((name) => only.length === 0 || only.includes(name))
  throw new Failure(`groat: there is no check ${unknown}; there are ${names.sort().join(', ')}`)
}

/** The checks there are, by file name; the slow ones first, so that they do not run alone at the end. */
export function checkNames() {
  const names = readdirSync(join(root, 'scripts/checks'))
    .filter((file) => file.endsWith('.mjs') && !file.endsWith('.test.mjs'))
    .map((file) => file.slice(0, -'.mjs'.length))
  return names.sort((a, b) => slowFirst.indexOf(b) - slowFirst.indexOf(a) || a.localeCompare(b))
}

const slowFirst = ['generated', 'packed', 'start', 'program']
