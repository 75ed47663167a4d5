import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { publishedSchema } from '../scripts/lib/schemas.js'
import { wireType, wireTypes } from '../scripts/lib/wire-types.js'
import { ajvAccepts, examples, zodAccepts } from './support.js'

type Path = readonly (string | number)[]
type Mutation = { readonly at: number; readonly change: Change }
type Change =
  | { readonly do: 'remove' }
  | { readonly do: 'replace'; readonly by: unknown }
  | { readonly do: 'add'; readonly name: string; readonly value: unknown }
  | { readonly do: 'wrap' }
  | { readonly do: 'copy'; readonly from: number }

const hostile = fc.constantFrom<unknown>(
  null,
  true,
  false,
  0,
  -1,
  1,
  2,
  3,
  0.5,
  1e21,
  2 ** 53,
  '',
  ' ',
  '0',
  '00',
  '01',
  '-0',
  '0x10',
  '1e3',
  '10000\n',
  '１',
  '9'.repeat(78),
  '9'.repeat(79),
  'base',
  'eip155:8453',
  'EIP155:8453',
  'eip155:',
  'x'.repeat(32),
  'x'.repeat(33),
  'é'.repeat(32),
  'x'.repeat(2048),
  'x'.repeat(2049),
  '😀'.repeat(1024),
  '😀'.repeat(1025),
  '\ud800',
  '\u0000',
  [],
  [null],
  [[]],
  {},
  { '': '' },
)
const value = fc.oneof({ weight: 3, arbitrary: hostile }, fc.jsonValue({ maxDepth: 2 }))
const name = fc.constantFrom('amount', 'extra', 'accepts', 'resource', 'unknown', 'toString', 'constructor', '')
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.constant({ do: 'remove' } as const),
  value.map((by) => ({ do: 'replace', by }) as const),
  fc.record({ do: fc.constant('add' as const), name, value }),
  fc.constant({ do: 'wrap' } as const),
  fc.nat().map((from) => ({ do: 'copy', from }) as const),
)
const numRuns = Number(process.env.FC_NUM_RUNS ?? 300)
const mutations = fc.array(fc.record({ at: fc.nat(), change }), { maxLength: 4 })

describe('zod and the published schema agree', () => {
  for (const type of wireTypes) {
    const path = `${type.version}/${type.name}`
    const seeds = examples.filter((example) => example.type === path).map(({ message }) => message)

    test(`on every mutated ${path}`, () => {
      return fc.assert(
        agreement(seeds, (message) => ajvAccepts(type, message) === zodAccepts(type, message)),
        { numRuns },
      )
    })
  }

  test('and a schema that refuses unknown members would be found out', () => {
    const type = wireType('v2/PaymentRequirements')
    const seeds = examples.filter((example) => example.type === 'v2/PaymentRequirements').map(({ message }) => message)
    const strict = new Ajv2020({ strict: false }).compile({ ...publishedSchema(type), additionalProperties: false })
    const found = fc.check(
      agreement(seeds, (message) => strict(message) === zodAccepts(type, message)),
      { numRuns: 1000, seed: 1 },
    )
    expect(found.failed).toBe(true)
  })
})

function agreement(seeds: readonly unknown[], agree: (message: unknown) => boolean) {
  return fc.property(fc.constantFrom(...seeds), mutations, (message, changes) => agree(changes.reduce(mutate, message)))
}

/** A copy with one place changed; places are numbered in the order in which they are met. */
function mutate(message: unknown, { at, change }: Mutation): unknown {
  const paths = placesOf(message)
  const path = paths[at % paths.length] ?? []
  return changed(message, path, (there) => {
    if (change.do === 'replace') return change.by
    if (change.do === 'wrap') return [there]
    if (change.do === 'copy') return valueAt(message, paths[change.from % paths.length] ?? [])
    if (change.do === 'add') return isObject(there) ? { ...there, [change.name]: change.value } : there
    return REMOVED
  })
}

const REMOVED = Symbol('removed')

function changed(value: unknown, [head, ...rest]: Path, edit: (there: unknown) => unknown): unknown {
  if (head === undefined) {
    const edited = edit(value)
    return edited === REMOVED ? null : edited
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => (index === head ? kept(edited(item, rest, edit)) : [item]))
  }
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) =>
      key === head ? kept(edited(member, rest, edit)).map((fresh) => [key, fresh]) : [[key, member]],
    ),
  )
}

function edited(value: unknown, rest: Path, edit: (there: unknown) => unknown): unknown {
  return rest.length === 0 ? edit(value) : changed(value, rest, edit)
}

function kept(value: unknown): unknown[] {
  return value === REMOVED ? [] : [value]
}

function placesOf(value: unknown, at: Path = []): readonly Path[] {
  const members = Array.isArray(value) ? [...value.entries()] : isObject(value) ? Object.entries(value) : []
  return [at, ...members.flatMap(([key, member]) => placesOf(member, [...at, key]))]
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (there, key) => (Array.isArray(there) ? there[Number(key)] : isObject(there) ? there[String(key)] : undefined),
    value,
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
