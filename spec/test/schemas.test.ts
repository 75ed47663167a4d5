import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { publishedSchema, publishingFaults } from '../scripts/lib/schemas.js'
import { meanings, wireTypes } from '../scripts/lib/wire-types.js'
import { published, root } from './support.js'

describe('schemas', () => {
  for (const type of wireTypes) {
    const path = `schemas/${type.version}/${type.name}.schema.json`

    test(`${path} is what core's schema generates`, () => {
      const generated = `${JSON.stringify(publishedSchema(type), null, 2)}\n`
      expect(readFileSync(join(root, path), 'utf8')).toBe(generated)
    })

    test(`${type.version}.${type.name} can be published without loss`, () => {
      expect(publishingFaults(type.schema)).toEqual([])
    })
  }

  test('load one by one in strict mode', () => {
    expect([...published.keys()]).toEqual(wireTypes.map(({ version, name }) => `${version}/${name}`))
  })

  test('no meaning is left over', () => {
    const members = (type: string) => {
      const found = wireTypes.find(({ version, name }) => `${version}/${name}` === type)
      return new Set(Object.keys((found && publishedSchema(found).properties) ?? {}))
    }
    const stale = Object.entries(meanings).flatMap(([type, of]) =>
      type === '*'
        ? []
        : Object.keys(of)
            .filter((member) => !members(type).has(member))
            .map((member) => `${type}.${member}`),
    )
    expect(stale).toEqual([])
  })
})

describe('what cannot be published is found', () => {
  const cases: readonly (readonly [string, z.core.$ZodType, string])[] = [
    ['a refinement', z.string().check(z.refine((text) => text !== '')), 'the root has a check custom'],
    [
      'a flag',
      z.looseObject({ a: z.string().check(z.regex(/^0x[0-9a-f]+$/i)) }),
      'properties.a has a pattern with flags',
    ],
    ['a strict object', z.looseObject({ a: z.strictObject({}) }), 'properties.a is not a loose object'],
    ['an ordinary object', z.object({}), 'the root is not a loose object'],
    ['a default', z.looseObject({ a: z._default(z.string(), 'x') }), 'properties.a is a default'],
    ['a transform', z.pipe(z.string(), z.transform(Number)), 'the root is a pipe'],
    ['a format', z.url(), 'the root has the format url'],
    ['a big integer', z.looseObject({ a: z.bigint() }), 'properties.a is a bigint'],
    ['a coercion', z.coerce.number(), 'the root coerces'],
  ]
  for (const [name, schema, fault] of cases) {
    test(name, () => expect(publishingFaults(schema)).toContain(fault))
  }
})
