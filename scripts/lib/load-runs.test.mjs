import { expect, test } from 'vitest'
import { readRun, runs } from '../../bench/load/runs.mjs'

test('a run has its own numbers, and what it is not told', () => {
  expect(readRun(['S2', '--seconds', '20'])).toEqual({ name: 'S2', numbers: { seconds: 20, rate: 8, seed: 1 } })
})

test.each([
  [[], 'Which run?'],
  [['L4'], 'No run is called "L4".'],
  [['toString'], 'No run is called "toString".'],
  [['L3', 'L5'], 'One run at a time: "L5" is one too many.'],
  [['L3', '--seconds', '5'], 'L3 takes no --seconds, only --payments 200'],
  [['L3', '--payments', 'many'], '--payments many: expected a whole number, at least 1'],
])('what cannot be run is said, with all that can: %j', (args, reason) => {
  const { name, said, code } = readRun(args)
  expect([name, code, said.split('\n')[0]]).toEqual([undefined, 2, reason])
  expect(Object.keys(runs).filter((each) => !said.includes(`  ${each}  `))).toEqual([])
})

test('help is no mistake', () => {
  expect(readRun(['--help'])).toMatchObject({ code: 0, said: expect.stringContaining('npm run load -- NAME') })
})
