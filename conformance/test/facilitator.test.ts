import { expect, test } from 'vitest'
import type { CheckResult } from '../src/index.js'
import { run } from '../src/index.js'
import { openFacilitator, supports } from '../targets/ours/facilitator.js'

test('our facilitator passes every check, on both chains', async () => {
  const results: CheckResult[] = []
  const target = { name: 'groat', supports, roles: { facilitator: { open: openFacilitator } } }
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
      .filter(({ status, check }) => status === 'not-applicable' && /^(EXT|BAZAAR)-/.test(check))
      .map(({ check }) => check),
  ).toEqual([])
}, 180_000)
