import { expect, test } from 'vitest'
import { baselineOf, classesOf, judge } from './baseline.js'
import type { CheckResult, Status } from './model/result.js'

const result = (check: string, status: Status, role: CheckResult['role'] = 'facilitator'): CheckResult => ({
  type: 'result',
  check,
  requirement: check.split('/')[0] ?? check,
  role,
  kind: 'scenario',
  profile: 'core',
  level: 'MUST',
  title: 'what is right',
  status,
  ms: 1,
  ...(status === 'pass' ? {} : { finding: { what: 'what is wrong' } }),
})
const today = '2027-01-31'
const red = [
  result('FAC-031/twice/evm', 'fail'),
  result('FAC-040/empty', 'untestable'),
  result('EVM-EXACT-041/recipient/evm', 'fail', 'server'),
  result('FAC-001/endpoints', 'pass'),
  result('FAC-021/code/evm', 'warn'),
]

test('a baseline of classes says how many are red in each area, and not which', () => {
  expect(classesOf(red, 'acme')).toEqual({
    target: 'acme',
    entries: [
      { check: 'EVM-EXACT-*', kind: 'failing', count: 1, issue: 'of the server' },
      { check: 'FAC-*', kind: 'failing', count: 2, issue: 'of the facilitator' },
    ],
  })
})

test('a class that is as it was is known; one more is unexpected, one less makes it stale', () => {
  const known = classesOf(red, 'acme')
  const found = (results: readonly CheckResult[]) => {
    const { unexpected, stale } = judge(results, known, today)
    return { unexpected: unexpected.map(({ check }) => check), stale: stale.map(({ why }) => why) }
  }
  expect(found(red)).toEqual({ unexpected: [], stale: [] })
  const more = found([...red, result('FAC-050/other', 'fail')])
  expect(more).toEqual({ unexpected: ['FAC-031/twice/evm', 'FAC-040/empty', 'FAC-050/other'], stale: [] })
  const fewer = red.map((each) => (each.check.startsWith('FAC-031') ? result(each.check, 'pass') : each))
  expect(found(fewer)).toEqual({ unexpected: [], stale: ['1 are red now, not 2'] })
})

test('a failure that is known is not unexpected; one that passes, is gone or is over makes the baseline stale', () => {
  const known = baselineOf(red, 'acme')
  expect(known.entries.map(({ check }) => check)).toEqual([
    'EVM-EXACT-041/recipient/evm',
    'FAC-031/twice/evm',
    'FAC-040/empty',
  ])
  expect(judge(red, known, today)).toMatchObject({ unexpected: [], stale: [] })
  const [first, ...rest] = known.entries
  const entries = [
    { ...first!, check: 'FAC-001' },
    { ...first!, check: 'FAC-999' },
    { ...first!, check: 'FAC-021', kind: 'flaky' as const },
    { ...first!, until: '2027-01-30' },
    ...rest,
  ]
  const { unexpected, stale } = judge(red, { entries }, today)
  expect(unexpected.map(({ check }) => check)).toEqual(['EVM-EXACT-041/recipient/evm'])
  expect(stale.map(({ why }) => why)).toEqual(['it passes now', 'no check has this name', 'its day was 2027-01-30'])
})

test('of a run that left checks out, what was not run is not stale', () => {
  const entries = [{ check: 'SVM-EXACT-*', kind: 'failing', count: 3, issue: 'known' }] as const
  expect(judge(red.slice(3), { entries }, today, true)).toMatchObject({ unexpected: [], stale: [] })
  expect(judge(red.slice(3), { entries }, today).stale).toHaveLength(1)
})
