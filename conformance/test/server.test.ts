import { expect, test } from 'vitest'
import { type CheckResult, run } from '../src/index.js'
import { openServer, routes } from '../targets/ours/server.js'

test('EXT-OFFER-022 MCP-020 our server passes every check, on both chains', async () => {
  const results: CheckResult[] = []
  const target = { name: 'groat', routes, roles: { server: { open: openServer } } }
  for await (const event of run({ target, profile: 'hardening', runs: 20 }))
    if (event.type === 'result') results.push(event)
  expect(
    results
      .filter(({ status }) => !['pass', 'not-applicable'].includes(status))
      .map(({ check, finding }) => [check, finding]),
  ).toEqual([])
  // What it announces is looked at: nothing of extensions and transports is left out.
  expect(
    results
      .filter(({ status, check }) => status === 'not-applicable' && /^(EXT|BAZAAR|DESC|MCP|A2A)-/.test(check))
      .map(({ check }) => check),
  ).toEqual([])
}, 280_000)
