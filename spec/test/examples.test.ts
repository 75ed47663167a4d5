import { describe, expect, test } from 'vitest'
import { readRequirements } from '../scripts/lib/requirements.js'
import { wireType, wireTypes } from '../scripts/lib/wire-types.js'
import { ajvAccepts, examples, root, zodAccepts } from './support.js'

const known = new Set(readRequirements(root).map(({ id }) => id))

describe('examples', () => {
  for (const { path, type, requirement, why, message } of examples) {
    const expected = requirement === undefined
    test(`${requirement ?? 'valid'} ${path}`, () => {
      const of = wireType(type)
      expect({ zod: zodAccepts(of, message), ajv: ajvAccepts(of, message) }).toEqual({ zod: expected, ajv: expected })
      if (requirement !== undefined) {
        expect(known).toContain(requirement)
        expect(why).toMatch(/\.$/)
      }
    })
  }

  test('every wire type has valid and invalid ones, more of the latter', () => {
    const count = (type: string, valid: boolean) =>
      examples.filter((example) => example.type === type && (example.requirement === undefined) === valid).length
    const poor = wireTypes
      .map(({ version, name }) => `${version}/${name}`)
      .filter((type) => count(type, true) === 0 || count(type, false) <= count(type, true))
    expect(poor).toEqual([])
  })
})
