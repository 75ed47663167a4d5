import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Profile, Role } from '../model/result.js'

/** A requirement of the specification, as far as the kit needs it. */
export type Requirement = {
  readonly id: string
  readonly level: string
  readonly roles: readonly Role[]
  readonly basis: string
  readonly source?: string
  readonly profile: Profile
  readonly text: string
  readonly anchor: string
  readonly violation: string
  readonly codes: readonly string[]
}

const require = createRequire(import.meta.url)

// The files are generated and byte-compared in the repository; their form is known.
const file = require('@groat/spec/requirements.json') as {
  readonly edition: string
  readonly upstream: { readonly repository: string; readonly commit: string }
  readonly requirements: readonly Requirement[]
}

/** Which edition of the specification the kit tests against. */
export const specification = { edition: file.edition, upstream: file.upstream.commit } as const

/** Every requirement by its id. */
export const requirements: ReadonlyMap<string, Requirement> = new Map(file.requirements.map((each) => [each.id, each]))

/** The requirement with this id; a check that names none is a mistake of the kit. */
export function requirement(id: string): Requirement {
  const found = requirements.get(id)
  if (found === undefined) throw new TypeError(`the specification has no requirement ${id}`)
  return found
}

/** Every code of the registry in `errors.md`. */
export const errorCodes: ReadonlySet<string> = readCodes()

function readCodes(): ReadonlySet<string> {
  const text = readFileSync(require.resolve('@groat/spec/errors.md'), 'utf8')
  const table = /<!-- errors -->([\s\S]*?)<!-- \/errors -->/.exec(text)?.[1] ?? ''
  return new Set([...table.matchAll(/^\| `([^`]+)`/gm)].map(([, code]) => code ?? ''))
}

/** One of the JSON Schemas, such as `v2/SettleResponse`. */
export function schemaOf(name: string): object {
  return require(`@groat/spec/schemas/${name}.schema.json`) as object
}
