import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One executable case. */
export type VectorCase = {
  readonly id: string
  readonly requirement: string
  readonly op: string
  readonly comment?: string
  readonly input: Readonly<Record<string, unknown>>
  readonly expect: Readonly<Record<string, unknown>>
  readonly flags?: readonly string[]
}

/** A file of cases. */
export type VectorFile = {
  readonly title: string
  readonly profile: 'core' | 'hardening'
  readonly since: string
  readonly cases: readonly VectorCase[]
  readonly flags?: Readonly<Record<string, { readonly effect: string; readonly class: string }>>
}

/** Reads a file of cases, or any other JSON file, below `root`. */
export function readJson<T>(root: string, path: string): T {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}

/** The paths of all JSON files below `root/folder`, relative to `root`, in order. */
export function jsonFiles(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .sort()
}

/** The network names of version 1 and what they stand for, as the vectors have them. */
export function networkNames(root: string): readonly (readonly [name: string, id: string])[] {
  const { cases } = readJson<VectorFile>(root, 'vectors/core/networks.json')
  return cases.flatMap(({ op, input, expect }) =>
    op === 'networkOfName' && typeof expect.network === 'string' ? [[String(input.name), expect.network] as const] : [],
  )
}
