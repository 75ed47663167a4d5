import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** One case of `spec/vectors`. `expect` holds members that the result has; its `error` is a code or a list of codes. */
export type VectorCase = {
  readonly id: string
  readonly requirement: string
  readonly op: string
  readonly input: Readonly<Record<string, unknown>>
  readonly expect: Readonly<Record<string, unknown>>
}

/** Every case of the specification. */
export function vectorCases(): readonly VectorCase[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@groat/spec/package.json')), 'vectors')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'))
  // The files are checked against their schema in the repository; their form is known.
  return files.sort().flatMap((file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as File).cases)
}

type File = { readonly cases: readonly VectorCase[] }
