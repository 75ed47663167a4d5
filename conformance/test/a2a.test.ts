import { expect, test } from 'vitest'
import { asSaid, saying, spoil } from '../mutants/middle.js'
import { type CheckResult, run } from '../src/index.js'
import { openServer } from '../targets/ours/server.js'

/** Ours, behind a card that knows version 0.3 of A2A alone. */
async function openOld(env: Readonly<Record<string, string>>) {
  const server = await openServer(env)
  const old = await spoil(server.url, async ({ path }, forward) => {
    const said = await forward()
    if (!path.endsWith('/agent-card.json')) return asSaid(said)
    const { supportedInterfaces: _, ...card } = said.json
    return saying(said, { ...card, protocolVersion: '0.3.0', preferredTransport: 'JSONRPC' })
  })
  return {
    url: old.url,
    async close() {
      await old.close()
      await server.close()
    },
  }
}

test('A2A-001 A2A-003 A2A-018 A2A-019 A2A-020 an agent that knows version 0.3 of A2A alone is spoken to in it', async () => {
  const results: CheckResult[] = []
  const methods = new Set<string>()
  const only = ['A2A-001', 'A2A-003', 'A2A-017', 'A2A-018', 'A2A-019', 'A2A-020']
  const target = { name: 'old agent', roles: { server: { open: openOld } } }
  for await (const event of run({ target, only, families: ['evm'] })) {
    if (event.type !== 'result') continue
    results.push(event)
    for (const { requestBody } of event.trace ?? []) {
      const { method } = JSON.parse(requestBody || '{}')
      if (method !== undefined) methods.add(method)
    }
  }
  expect(results.filter(({ status }) => status !== 'pass')).toEqual([])
  expect([results.length, [...methods]]).toEqual([8, ['message/send']])
})
