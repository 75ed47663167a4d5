import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ID } from './requirements.js'

/** Which files of the repository test which requirement, by id. */
export type TestedBy = ReadonlyMap<string, readonly string[]>

/**
 * Finds the ids with which names of tests begin, and the ids of executable cases: vectors and invalid examples.
 * A name may begin with several ids. Paths are relative to the repository.
 */
export function readTestedBy(repository: string): TestedBy {
  const found = new Map<string, Set<string>>()
  for (const folder of ['packages', 'interop', 'conformance', 'spec']) {
    for (const file of walk(join(repository, folder))) {
      for (const id of idsIn(file)) {
        const files = found.get(id) ?? new Set()
        files.add(file.slice(repository.length + 1))
        found.set(id, files)
      }
    }
  }
  return new Map([...found].map(([id, files]) => [id, [...files].sort()]))
}

/** The ids with which names of tests begin in a file, be they arguments or rows of a table. */
export function idsOfTestNames(source: string): readonly string[] {
  return [...source.matchAll(NAME)].flatMap(([, ids = '']) => ids.match(ONE) ?? [])
}

function idsIn(file: string): readonly string[] {
  if (/\.test\.m?ts$|\/test\/.*\.ts$/.test(file)) return idsOfTestNames(readFileSync(file, 'utf8'))
  if (/\/spec\/(?:vectors\/.*|examples\/.*\/invalid\/.*)\.json$/.test(file)) {
    return [...readFileSync(file, 'utf8').matchAll(CASE)].map(([, id = '']) => id)
  }
  return []
}

function walk(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(path)
    return entry.isFile() ? [path] : []
  })
}

const SKIPPED = new Set(['node_modules', 'dist'])
/** A text that begins with one or several ids, of this catalogue or another, and goes on in words. */
const NAME = /['"`]((?:[A-Z][A-Z0-9-]*[0-9]+(?:, |: | ))+)(?=[^\s'"`])/g
const ONE = new RegExp(`\\b${ID}\\b`, 'g')
const CASE = new RegExp(`"requirement": "(${ID})"`, 'g')
