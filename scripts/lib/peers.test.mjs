import { expect, test } from 'vitest'
import { readPeersCommand, summaryOf } from './peers.mjs'
import { readFlakes } from './soak.mjs'

const known = ['faremeter', 'legacy', 'official']

test('without names all peers are meant, and their runs are held against what is known', () => {
  expect(readPeersCommand([], known)).toEqual({ names: known, writes: false, resumes: false, minutes: 15 })
  expect(readPeersCommand(['legacy', '--write', '--minutes', '3'], known)).toEqual({
    names: ['legacy'],
    writes: true,
    resumes: false,
    minutes: 3,
  })
  expect(readPeersCommand(['--resume'], known)).toMatchObject({ resumes: true })
})

test('a name or an option that is not there is said', () => {
  expect(readPeersCommand(['legcay'], known)).toEqual({
    wrong: 'groat: there is no peer legcay; there are faremeter, legacy, official',
  })
  expect(readPeersCommand(['--wirte'], known)).toEqual({ wrong: 'groat: --wirte is no option of npm run peers' })
  expect(readPeersCommand(['--minutes', 'x'], known)).toEqual({ wrong: 'groat: --minutes needs a number' })
})

test('the summary has a line for each peer', () => {
  const rows = [
    { name: 'legacy', code: 0, what: '200 pass', seconds: 31 },
    { name: 'official', code: 2, what: '400 pass, 2 fail', seconds: 99 },
  ]
  expect(summaryOf(rows)).toBe(
    'legacy    as known  200 pass  31 s\nofficial  the baseline is stale  400 pass, 2 fail  99 s',
  )
})

test('a flake is a check that did not pass with every seed', () => {
  const result = (check, status) => ({ check, status, finding: { what: 'wrong' } })
  const runs = [
    { seed: 1, results: [result('FAC-001', 'pass'), result('FAC-031', 'pass')] },
    { seed: 2, results: [result('FAC-001', 'pass'), result('FAC-031', 'fail')] },
    { seed: 3, results: [result('FAC-001', 'not-applicable'), result('FAC-031', 'untestable')] },
  ]
  expect(readFlakes(runs)).toEqual([{ check: 'FAC-031', seeds: [2, 3], what: 'fail: wrong' }])
})
