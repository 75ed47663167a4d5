import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Excluded } from '../scripts/lib/gen.js'
import { ID, readRequirements } from '../scripts/lib/requirements.js'
import { readTestedBy } from '../scripts/lib/tested.js'
import { readJson } from '../scripts/lib/vectors.js'
import { root } from './support.js'

// The page of dangers is held to what is tested: it cannot say of a danger that it is met when no test says so.

const page = readFileSync(join(root, 'dangers-evm.md'), 'utf8')
const rows = [...page.matchAll(/^\|(.+)\|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
const dangers = rows.filter(([id = '']) => /^D[0-9]+$/.test(id))
const inputs = rows.slice(rows.findIndex(([title]) => title === 'input') + 2)
const ids = new Set(readRequirements(root).map(({ id }) => id))
const testedBy = readTestedBy(join(root, '..'))
const excluded = readJson<Excluded>(root, 'excluded.json')

describe('dangers on EVM networks', () => {
  test('each has a row, in order', () => {
    expect(dangers.map(([id]) => id)).toEqual(Array.from({ length: 48 }, (_, i) => `D${i + 1}`))
  })

  test('each row names requirements, or a reason for naming none', () => {
    const bare = dangers.filter(([, , , named, reason]) => (named === '') === (reason === ''))
    expect(bare).toEqual([])
  })

  test('each requirement that is named exists and has a test, and none of them is excluded', () => {
    const named = [...page.matchAll(new RegExp(ID, 'g'))].map(([id]) => id)
    expect(named.filter((id) => !ids.has(id) || !testedBy.has(id) || excluded[id] !== undefined)).toEqual([])
  })

  test('each bad input is answered by each scheme', () => {
    expect(inputs.map(([input]) => input)).toEqual([
      'wrong spender',
      'wrong witness',
      'malleated signature, `v` 0 or 1, 64 bytes',
      'amounts in hex or with a point',
      'used nonce',
      'expired deadline',
      'no allowance (412)',
      'factory that is not allowed',
      'delegation that reverts or burns gas',
    ])
    expect(inputs.filter((cells) => cells.slice(1).length !== 6 || cells.some((cell) => cell === ''))).toEqual([])
  })
})
