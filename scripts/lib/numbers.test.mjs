import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readNumbers } from './numbers.mjs'
import { root } from './root.mjs'

const kinds = { seeds: 'count', seed: 'seed', seconds: 'amount' }
const read = (...args) => readNumbers(args, kinds)

test('numbers are read as what they are, and names beside them', () => {
  expect(read('--seeds', '12', '--seed=0', '--', 'L3', '--seconds', '1.5')).toEqual({
    numbers: { seeds: 12, seed: 0, seconds: 1.5 },
    texts: {},
    names: ['L3'],
    help: false,
  })
  expect(read('--help')).toMatchObject({ help: true })
  expect(readNumbers(['--times', '2', '--target', '3 x'], { times: 'count', target: 'text' })).toMatchObject({
    numbers: { times: 2 },
    texts: { target: '3 x' },
  })
})

test.each([
  [['--seeds', 'abc'], '--seeds abc: expected a whole number, at least 1'],
  [['--seeds', '0'], '--seeds 0: expected a whole number, at least 1'],
  [['--seeds', '1e3'], '--seeds 1e3: expected a whole number, at least 1'],
  [['--seeds='], '--seeds : expected a whole number, at least 1'],
  [['--seed', '1.5'], '--seed 1.5: expected a whole number'],
  [['--seconds', '0.0'], '--seconds 0.0: expected a number above 0'],
  [['--seconds', '-1'], /ambiguous/],
  [['--sedes', '3'], /Unknown option '--sedes'/],
  [['--seeds'], /argument missing/],
])('%j is wrong', (args, wrong) => {
  const read = readNumbers(args, kinds)
  expect(read).toEqual({ wrong: typeof wrong === 'string' ? wrong : expect.stringMatching(wrong) })
})

test.each([
  ['simulate', ['--seeds', 'abc']],
  ['simulate', ['--seeds', '0']],
  ['simulate', ['--sedes', '3']],
  ['simulate', ['L3']],
  ['soak', ['--times', 'abc']],
  ['soak', ['--times', '0']],
  ['soak', ['--seed', '1.5']],
  ['soak', ['now']],
])('npm run %s %j does nothing but say how it is used', (script, args) => {
  const file = join(root, 'scripts', `${script}.mjs`)
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(/^groat: .*\n\nnpm run (simulate|conform:soak) \[-- /)
  expect(stderr).not.toContain('    at ')
})
