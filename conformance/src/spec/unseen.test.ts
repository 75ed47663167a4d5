import { expect, test } from 'vitest'
import { allChecks, explain } from '../index.js'
import { requirements } from './requirements.js'
import { unseen } from './unseen.js'

test('each requirement of an extension or a transport has a check, or a reason why none looks at it', () => {
  const checked = new Set(allChecks().map(({ requirement }) => requirement))
  const areas = /^(EXT(-[A-Z]+)?|BAZAAR|DESC|MCP|A2A)-\d/
  const wanted = [...requirements.keys()].filter((id) => areas.test(id))
  expect(wanted.length).toBeGreaterThan(190)
  expect(wanted.filter((id) => !checked.has(id) && unseen[id] === undefined)).toEqual([])
  expect(Object.keys(unseen).filter((id) => checked.has(id) || !requirements.has(id))).toEqual([])
})

test('a requirement that no check looks at is explained with the reason', () => {
  expect(explain('EXT-ID-014')).toContain(`no check of the kit looks at it: ${unseen['EXT-ID-014']}`)
  expect(explain('EXT-ID-012')).toContain('EXT-ID-012/at-once')
})
