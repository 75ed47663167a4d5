import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Excluded } from '../scripts/lib/gen.js'
import { ID, readRequirements } from '../scripts/lib/requirements.js'
import { readTestedBy } from '../scripts/lib/tested.js'
import { readJson } from '../scripts/lib/vectors.js'
import { root } from './support.js'

const page = readFileSync(join(root, 'dangers-extensions.md'), 'utf8')
const rows = [...page.matchAll(/^\|(.+)\|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
const dangers = rows.filter(([id = '']) => /^D[0-9]+$/.test(id))
const inputs = rows.slice(rows.findIndex(([title]) => title === 'input') + 2)
const ids = new Set(readRequirements(root).map(({ id }) => id))
const testedBy = readTestedBy(join(root, '..'))
const excluded = readJson<Excluded>(root, 'excluded.json')

describe('dangers of extensions', () => {
  test('each has a row, in order', () => {
    expect(dangers.map(([id]) => id)).toEqual(Array.from({ length: 22 }, (_, i) => `D${i + 1}`))
  })

  test('each row names requirements, or a reason for naming none', () => {
    expect(dangers.filter(([, , , named, reason]) => (named === '') === (reason === ''))).toEqual([])
  })

  test('each requirement that is named exists and has a test, and none of them is excluded', () => {
    const named = [...page.matchAll(new RegExp(`\\b${ID}\\b`, 'g'))].map(([id]) => id)
    expect(named.filter((id) => !ids.has(id) || !testedBy.has(id) || excluded[id] !== undefined)).toEqual([])
  })

  test('each is named by a test of one of its requirements', () => {
    const unnamed = dangers.filter(([id = '', , , named = '']) => {
      const wanted = named.split(', ')
      const files = new Set(wanted.flatMap((each) => testedBy.get(each) ?? []))
      return ![...files].some((file) => titlesOf(file).some((title) => isNamed(title, id, wanted)))
    })
    expect(unnamed.map(([id]) => id)).toEqual([])
  })

  test('each bad input has an answer and a requirement', () => {
    expect(inputs.map(([input]) => input)).toEqual([
      'oversized extensions',
      'deep JSON',
      'hostile patterns',
      'wrong echoes',
      'forged receipts',
      'replayed sign-ins',
      'foreign signers',
      'refunds asked for by strangers, for others, twice',
      'a payment for another request',
      'words about a payer that cannot be read',
    ])
    expect(inputs.filter((cells) => cells.length !== 3 || cells.some((cell) => cell === ''))).toEqual([])
  })
})

/** Texts of a file that begin with ids. */
function titlesOf(file: string): readonly string[] {
  if (!file.endsWith('.ts')) return []
  return readFileSync(join(root, '..', file), 'utf8').match(/['"`][A-Z][A-Z0-9-]*[0-9] [^\n]*/g) ?? []
}

const isNamed = (title: string, danger: string, requirements: readonly string[]): boolean =>
  new RegExp(`\\b${danger}\\b`).test(title) && requirements.some((each) => title.includes(each))
