import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from './http/exchange.js'
import { formatFinding } from './model/finding.js'
import type { CheckResult } from './model/result.js'
import { UsageError } from './target/manifest.js'

/** The smallest counterexample that a property or a model found: a file of a folder of regressions. */
export type Regression = {
  readonly requirement: string
  /** The check, with its family of chains. */
  readonly check: string
  /** Where it is found again: the seed of the check, and the path to the counterexample. */
  readonly seed: number
  readonly path: string
  /** For people: the input or the sequence of actions, and what came of it. */
  readonly counterexample?: unknown
  readonly finding?: string
}

/**
 * Reads a folder of regressions; none when there is no such folder. Throws `UsageError`.
 *
 * @example
 * ```ts
 * const regressions = await readRegressions('x402-regressions')
 * await conform({ target, regressions })
 * ```
 */
export async function readRegressions(folder: string): Promise<readonly Regression[]> {
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.json')).sort()
  return Promise.all(
    files.map(async (file) => {
      let value: unknown
      try {
        value = JSON.parse(await readFile(join(folder, file), 'utf8'))
      } catch (cause) {
        throw new UsageError(`${file} is no regression: it cannot be read as JSON`, { cause })
      }
      const { check, seed, path } = isObject(value) ? value : {}
      if (typeof check !== 'string' || typeof seed !== 'number' || typeof path !== 'string')
        throw new UsageError(`${file} is no regression: it needs \`check\`, \`seed\` and \`path\``)
      // Looked at above.
      return value as unknown as Regression
    }),
  )
}

/** Writes what properties and models found into a folder, a file for each check. */
export async function writeRegressions(folder: string, results: readonly CheckResult[]): Promise<void> {
  const found = results.flatMap(({ check, requirement, path, pathSeed, counterexample, finding }): Regression[] =>
    path === undefined || pathSeed === undefined || finding === undefined
      ? []
      : [{ requirement, check, seed: pathSeed, path, counterexample, finding: formatFinding(finding) }],
  )
  if (found.length > 0) await mkdir(folder, { recursive: true })
  for (const each of found)
    await writeFile(join(folder, `${each.check.replaceAll('/', '-')}.json`), `${JSON.stringify(each, undefined, 2)}\n`)
}
