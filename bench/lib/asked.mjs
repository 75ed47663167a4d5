import { readdirSync } from 'node:fs'
import { readNumbers } from '../../scripts/lib/numbers.mjs'

/** The benchmarks there are. Nothing has to be built to read this. */
export const suites = readdirSync(new URL('../suites', import.meta.url))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.replace('.mjs', ''))

const usage = `npm run bench [-- NAME ...]

Ours against the published packages, as ratios; all of these unless some are named:
  ${suites.join(' ')}

bench/README.md says what each of them measures.`

/**
 * Which benchmarks are asked for; or `{ said, code }`: what to say instead, and with what to end.
 *
 * @example
 * readSuites(['header', 'signature']) // { names: ['header', 'signature'] }
 */
export function readSuites(args) {
  const { wrong, names, help } = readNumbers(args, {})
  if (help) return { said: usage, code: 0 }
  const unknown = names?.filter((name) => !suites.includes(name)) ?? []
  const reason = wrong ?? (unknown.length > 0 ? `No benchmark is called ${unknown.join(', ')}.` : undefined)
  if (reason !== undefined) return { said: `${reason}\n\n${usage}`, code: 2 }
  return { names: names.length > 0 ? names : suites }
}
