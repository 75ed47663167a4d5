import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { conform, readTarget, type Target } from '../src/index.js'

const manifest = fileURLToPath(new URL('../targets/plain/x402-mcp.json', import.meta.url))

/** The target with another program. */
function withProgram(target: Target, change: (start: string) => string): Target {
  const { server } = target.roles
  if (server === undefined || !('start' in server)) throw new Error('the manifest has no server')
  return { ...target, roles: { server: { ...server, start: change(server.start) } } }
}

test('MCP-001 MCP-003 MCP-007 MCP-016 MCP-017 an MCP server over stdio, in plain Node, is tested as one over HTTP is', async () => {
  const { record, exitCode } = await conform({ target: await readTarget(manifest), profile: 'hardening' })
  const by = (wanted: string) => record.results.filter(({ status }) => status === wanted)
  expect(record.results.filter(({ status }) => !['pass', 'not-applicable'].includes(status))).toEqual([])
  expect(by('not-applicable').map(({ check }) => check)).toEqual([
    'MCP-005/receipt/evm',
    'MCP-005/refused/evm',
    'MCP-006/old-keys/evm',
    'MCP-010/upfront/evm',
    'MCP-014/forged/evm',
    'MCP-018/resource/evm',
    'MCP-020/free/evm',
  ])
  expect([exitCode, by('pass').length]).toEqual([0, 15])
})

test('a program that is no MCP server cannot be reached, and one that ends is a finding', async () => {
  const target = await readTarget(manifest)
  const none = withProgram(target, () => 'node -e ""')
  await expect(conform({ target: none })).rejects.toThrow('is no MCP server over stdio')
  const three = 'for each in 1 2 3; do IFS= read -r line; printf "%s\\n" "$line"; done'
  const ends = withProgram(target, (start) => `{ ${three}; } | ${start}`)
  const { record } = await conform({ target: ends, only: ['MCP-001', 'MCP-003'] })
  expect(record.results.map(({ status }) => status)).toEqual(['fail', 'fail'])
})
