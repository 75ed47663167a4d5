import * as z from 'zod/mini'
import { meaning, type WireType, wireTypes } from './wire-types.js'

/** A JSON Schema, as far as this project looks into one. */
export type JsonSchema = {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly minItems?: number
  readonly pattern?: string
  readonly [keyword: string]: unknown
}

/** The identifier of a published schema. */
export function schemaId({ version, name }: WireType): string {
  return `urn:x402:schema:${version}:${name}`
}

/**
 * The published schema of a wire type: JSON Schema 2020-12 of what is accepted, complete in itself.
 * Types that it holds stand in `$defs` under their own names.
 */
export function publishedSchema(type: WireType): JsonSchema {
  const parts = z.registry<{ id: string }>()
  const named = new Set<unknown>([type.schema])
  for (const part of wireTypes) {
    if (part.version !== type.version || named.has(part.schema)) continue
    parts.add(part.schema, { id: part.name })
    named.add(part.schema)
  }
  const { $schema, $defs, ...root } = plain(
    z.toJSONSchema(type.schema, { io: 'input', target: 'draft-2020-12', metadata: parts }),
  )
  const defs = Object.entries($defs ?? {}).map(([name, { id, ...part }]) => [name, explained(type.version, name, part)])
  return {
    $schema,
    $id: schemaId(type),
    title: type.name,
    description: type.title,
    ...explained(type.version, type.name, root),
    ...(defs.length === 0 ? {} : { $defs: Object.fromEntries(defs) }),
  }
}

/** The schema with the meaning of each member. */
function explained(version: string, name: string, schema: JsonSchema): JsonSchema {
  const properties = Object.entries(schema.properties ?? {}).map(([member, of]) => [
    member,
    { description: meaning(`${version}/${name}`, member), ...of },
  ])
  return { ...schema, properties: Object.fromEntries(properties) }
}

/** A copy without shared parts, as it will stand in a file. */
function plain(schema: unknown): JsonSchema {
  return JSON.parse(JSON.stringify(schema))
}

/** What in a schema cannot be published without loss, as sentences; empty when nothing. */
export function publishingFaults(schema: z.core.$ZodType): readonly string[] {
  const faults: string[] = []
  z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, path }) => {
      const at = path.join('.') || 'the root'
      const { def } = zodSchema._zod
      if (!PUBLISHABLE.has(def.type)) faults.push(`${at} is a ${def.type}`)
      if ('catchall' in def || def.type === 'object') {
        const catchall = 'catchall' in def ? def.catchall : undefined
        if (kindOf(catchall) !== 'unknown') faults.push(`${at} is not a loose object`)
      }
      if ('coerce' in def && def.coerce) faults.push(`${at} coerces`)
      if ('format' in def) faults.push(`${at} has the format ${String(def.format)}`)
      for (const check of def.checks ?? []) {
        const own = check._zod.def
        if (!LOSSLESS_CHECKS.has(own.check)) faults.push(`${at} has a check ${own.check}`)
        if ('pattern' in own && own.pattern instanceof RegExp && own.pattern.flags !== '') {
          faults.push(`${at} has a pattern with flags`)
        }
        if ('format' in own && own.format !== 'regex') faults.push(`${at} has the format ${String(own.format)}`)
      }
    },
  })
  return faults
}

const PUBLISHABLE = new Set([
  'any',
  'array',
  'boolean',
  'literal',
  'nullable',
  'number',
  'object',
  'optional',
  'record',
  'string',
  'union',
  'unknown',
])

const LOSSLESS_CHECKS = new Set([
  'string_format',
  'min_length',
  'max_length',
  'greater_than',
  'less_than',
  'number_format',
])

function kindOf(schema: unknown): string | undefined {
  return schema instanceof Object && '_zod' in schema ? (schema as z.core.$ZodType)._zod.def.type : undefined
}
