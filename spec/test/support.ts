import { fileURLToPath } from 'node:url'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import * as z from 'zod/mini'
import { jsonFiles, readJson } from '../scripts/lib/vectors.js'
import { type WireType, wireTypes } from '../scripts/lib/wire-types.js'

/** The folder `spec`. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

/** One example: a message, and the requirement that it violates if it does. */
export type Example = {
  readonly path: string
  readonly type: string
  readonly requirement?: string
  readonly why?: string
  readonly message: unknown
}

/** All examples of wire types. */
export const examples: readonly Example[] = jsonFiles(root, 'examples').flatMap((path) => {
  const [, version = '', name = '', kind] = path.split('/')
  if (!wireTypes.some((type) => type.version === version && type.name === name)) return []
  const type = `${version}/${name}`
  if (kind === 'valid') return [{ path, type, message: readJson<unknown>(root, path) }]
  return [{ path, type, ...readJson<Pick<Example, 'message' | 'requirement' | 'why'>>(root, path) }]
})

/** Whether core's own schema accepts a message. */
export function zodAccepts({ schema }: WireType, message: unknown): boolean {
  return z.safeParse(schema, message).success
}

/** Validators of the published files, each loaded alone and in ajv's strict mode. */
export const published: ReadonlyMap<string, ValidateFunction> = new Map(
  wireTypes.map(({ version, name }) => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true })
    return [`${version}/${name}`, ajv.compile(readJson<object>(root, `schemas/${version}/${name}.schema.json`))]
  }),
)

/** Whether the published schema accepts a message. */
export function ajvAccepts({ version, name }: WireType, message: unknown): boolean {
  const validate = published.get(`${version}/${name}`)
  if (validate === undefined) throw new Error(`no schema for ${version}/${name}`)
  return validate(message) === true
}
