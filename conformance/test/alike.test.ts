import { expect, test } from 'vitest'
import { listen, reply } from '../src/http/listen.js'
import { type CheckResult, run } from '../src/index.js'

test('a server that answers every path alike is not taken for an agent, an MCP server or a seller without a key', async () => {
  const open = () => listen(async (_, response) => reply(response, { json: { hits: {}, resource: 'anything' } }))
  const target = { name: 'alike', routes: [], roles: { server: { open } } }
  const results: CheckResult[] = []
  const only = ['EXT*', 'MCP*', 'A2A*', 'BAZAAR*', 'DESC*', 'CORE-080', 'CORE-083', 'CORE-084']
  for await (const event of run({ target, only, families: ['evm'] })) if (event.type === 'result') results.push(event)
  expect(results.length).toBeGreaterThan(150)
  expect(results.filter(({ status }) => status !== 'not-applicable')).toEqual([])
})
