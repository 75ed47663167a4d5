import { expect, test } from 'vitest'
import { type CheckResult, run } from '../src/index.js'
import { ourClient } from '../targets/ours/client.js'

test('our client passes every check, on both chains', async () => {
  const results: CheckResult[] = []
  const target = { name: 'groat', roles: { client: ourClient } }
  for await (const event of run({ target, profile: 'hardening', runs: 20 }))
    if (event.type === 'result') results.push(event)
  expect(
    results
      .filter(({ status }) => !['pass', 'not-applicable'].includes(status))
      .map(({ check, finding }) => [check, finding]),
  ).toEqual([])
  // Nothing of extensions is left out.
  expect(
    results
      .filter(({ status, check }) => status === 'not-applicable' && /^(EXT|MCP|A2A)-/.test(check))
      .map(({ check }) => check),
  ).toEqual([])
}, 280_000)
