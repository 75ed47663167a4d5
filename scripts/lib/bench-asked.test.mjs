import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSuites, suites } from '../../bench/lib/asked.mjs'
import { root } from './root.mjs'

test('all of them run unless some are named', () => {
  expect(readSuites([])).toEqual({ names: suites })
  expect(readSuites(['--', 'header', 'signature'])).toEqual({ names: ['header', 'signature'] })
})

test.each([
  [['headers'], 2, 'No benchmark is called headers.'],
  [['header', '--rounds', '3'], 2, "Unknown option '--rounds'"],
  [['--help'], 0, 'npm run bench [-- NAME ...]'],
])('npm run bench -- %j says how it is used, before anything is built', (args, code, begin) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts/bench.mjs'), ...args], {
    encoding: 'utf8',
  })
  const [said, nothing] = code === 0 ? [stdout, stderr] : [stderr, stdout]
  expect([status, nothing, said.startsWith(begin)]).toEqual([code, '', true])
  expect(suites.filter((each) => !said.includes(` ${each}`))).toEqual([])
})
