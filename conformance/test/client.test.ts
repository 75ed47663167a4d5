import { expect, test } from 'vitest'
import { type CheckResult, run } from '../src/index.js'
import { fetchAsOurs } from '../targets/ours/client.js'

test('our client passes every check, on both chains', async () => {
  const results: CheckResult[] = []
  const target = { name: 'groat', roles: { client: { fetch: fetchAsOurs } } }
  for await (const event of run({ target, profile: 'hardening', runs: 20 }))
    if (event.type === 'result') results.push(event)
  if (process.env.KIT_DEBUG) (await import('node:fs')).writeFileSync('/tmp/kit-results.json', JSON.stringify(results))
  expect(
    results
      .filter(({ status }) => !['pass', 'not-applicable'].includes(status))
      .map(({ check, finding }) => [check, finding]),
  ).toEqual([])
}, 280_000)
