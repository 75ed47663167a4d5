import { errorCodes } from '@groat/core'
import type { JsonSchema } from './schemas.js'
import { publishedSchema } from './schemas.js'
import { wireType } from './wire-types.js'

/**
 * Fills the generated blocks of a page. A block stands between `<!-- name:argument -->` and `<!-- /name -->`.
 * Throws for a block without an end.
 */
export function fillBlocks(page: string, fill: Readonly<Record<string, (argument: string) => string>>): string {
  return page.replace(BLOCK, (_whole, name: string, argument: string | undefined) => {
    const content = fill[name]
    if (content === undefined) throw new Error(`no generator for the block ${name}`)
    const head = argument === undefined ? name : `${name}:${argument}`
    return `<!-- ${head} -->\n${content(argument ?? '')}\n<!-- /${name} -->`
  })
}

/** The table of a type's members. */
export function fieldTable(path: string): string {
  const schema = publishedSchema(wireType(path))
  const rows = Object.entries(schema.properties ?? {}).map(([member, of]) => {
    const required = schema.required?.includes(member) ? 'yes' : 'no'
    return `| \`${member}\` | ${typeText(of)} | ${required} | ${String(of.description)} |`
  })
  return ['| member | type | required | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** The registry of codes. */
export function errorTable(): string {
  const rows = Object.entries(errorCodes).map(([code, info]) => {
    const detail = 'detail' in info ? info.detail : ''
    return `| \`${code}\` | ${info.status} | ${detail} | ${info.retry} | ${info.title}. ${info.hint} |`
  })
  return [
    '| code | status | detail | retry | meaning, and what to do |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

/** The network names of version 1, from pairs of a name and an id. */
export function networkTable(names: readonly (readonly [name: string, id: string])[]): string {
  const rows = names.map(([name, id]) => `| \`${name}\` | \`${id}\` |`)
  return ['| version 1 | version 2 |', '| --- | --- |', ...rows].join('\n')
}

function typeText(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ')
  if (schema.$ref !== undefined) return schema.$ref.slice('#/$defs/'.length)
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.type === 'array') {
    const of = schema.items === undefined ? '' : ` of ${typeText(schema.items)}`
    return `array${of}${schema.minItems === undefined ? '' : `, at least ${schema.minItems}`}`
  }
  if (schema.type === 'number' && schema.exclusiveMinimum === 0) return 'number above 0'
  if (schema.pattern !== undefined) return PATTERNS[schema.pattern] ?? 'string'
  return typeof schema.type === 'string' ? schema.type : (schema.type?.join(' or ') ?? 'any')
}

const BLOCK = /<!-- ([a-z]+)(?::([^ ]+))? -->\n(?:[\s\S]*?\n)??<!-- \/\1 -->/g

/** What the patterns of the schemas say, in words. */
const PATTERNS: Readonly<Record<string, string>> = {
  '^(?:0|[1-9][0-9]{0,77})$': 'decimal text',
  '^0x[0-9a-fA-F]{40}$': 'address',
  '^0x[0-9a-fA-F]{64}$': '32 bytes, hex',
}
