import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen, type Reply, reply } from '../src/http/listen.js'
import {
  absentAreas,
  type CheckResult,
  conform,
  type Rail,
  readRuns,
  readTarget,
  startRail,
  type Target,
  UnreachableError,
  UsageError,
} from '../src/index.js'

const only = ['FAC-001', 'FAC-060', 'FAC-007']

async function against(answer: Reply): Promise<readonly CheckResult[]> {
  const { url, close } = await listen(async (_, response) => reply(response, answer))
  try {
    const target = { name: 'bad', roles: { facilitator: { url } } }
    // A healthy target answers within milliseconds; nobody here waits for the limits of a run.
    return (await conform({ target, only, answerMs: 1_000 })).record.results
  } finally {
    await close()
  }
}

test.each([
  ['answers HTML', { text: '<html>welcome</html>' }, /is no JSON object: expected a JSON object, saw 200 .*<html>/],
  ['closes the connection', 'close', /has no answer: the target closed the connection/],
  ['nests without end', { text: `{"kinds":${'['.repeat(100_000)}${']'.repeat(100_000)}}` }, /is no JSON object/],
  ['sends a gigabyte', 'gigabyte', /the target sent more than 1024 KiB/],
  ['never answers', 'hang', /the target did not answer within 1 s|stopped answering/],
  ['writes for ever', 'endless', /began to answer \(200\) and did not end within 1 s|stopped answering/],
] as const)(
  'a target that %s is a finding with a clear line',
  async (_, answer, line) => {
    const results = await against(answer)
    expect(results.length).toBe(4)
    expect(results.filter(({ status }) => status === 'pass')).toEqual([])
    expect(results.filter(({ status }) => status === 'harness-error')).toEqual([])
    expect(
      results.map(({ finding }) => `${finding?.what}: expected ${finding?.expected}, saw ${finding?.saw}`).join('\n'),
    ).toMatch(line)
  },
  120_000,
)

test('a run that was killed is read up to its last whole line; one that cannot begin leaves the report before it alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groat-killed-'))
  try {
    const { url, close } = await listen(async (_, response) => reply(response, { json: {} }))
    const target = { name: 'bad', roles: { facilitator: { url } } }
    await conform({ target, only: ['FAC-060/kinds'], report: folder, answerMs: 1_000 })
    await close()
    const file = join(folder, 'results.ndjson')
    const whole = await readFile(file, 'utf8')
    await expect(conform({ target, report: folder })).rejects.toThrow(UnreachableError)
    expect(await readFile(file, 'utf8')).toBe(whole)
    await writeFile(file, whole.slice(0, -10))
    const [run] = await readRuns(folder)
    expect([run?.results.length, run?.summary]).toEqual([1, undefined])
    await expect(conform({ target, report: join(file, 'below') })).rejects.toThrow(/report cannot be written to/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 60_000)

test('what is not HTTP is a finding', async () => {
  const server = createServer()
  server.on('connection', (socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const target = { name: 'bad', roles: { facilitator: { url: `http://127.0.0.1:${port}` } } }
  const { record } = await conform({ target, only: ['FAC-060/kinds'] })
  await new Promise((resolve) => server.close(resolve))
  expect(record.results[0]?.finding?.what).toContain('the target answered with something that is not HTTP')
})

test('a target that is not there, and one that does not start, are unreachable', async () => {
  const gone = { name: 'gone', roles: { facilitator: { url: 'http://127.0.0.1:9' } } }
  await expect(conform({ target: gone })).rejects.toThrow(UnreachableError)
  const dies = { name: 'dies', roles: { client: { start: 'node -e "process.exit(3)"' } } }
  await expect(conform({ target: dies })).rejects.toThrow(UnreachableError)
  await expect(readTarget('no-such-file.json')).rejects.toThrow(UsageError)
}, 60_000)

test('a paid URL that runs is looked at without paying; one that is not there is a finding', async () => {
  const answer = { status: 402, headers: { 'PAYMENT-REQUIRED': 'e30=' }, json: {} }
  const { url, close } = await listen(async (_, response) => reply(response, answer))
  const { record } = await conform({ target: { name: 'url', roles: { server: { url: `${url}/paid` } } } })
  await close()
  const failed = record.results.filter(({ status }) => status === 'fail').map(({ check }) => check)
  expect([record.results.length, failed]).toEqual([
    9,
    ['HTTP-002/header', 'HTTP-060/no-store', 'CORE-001/version', 'CORE-020/accepts'],
  ])
})

test.each(['stdio', 'exec'] as const)(
  'a client in plain Node is asked in JSON lines, or run for every request: %s',
  async (protocol) => {
    const { roles, ...target } = await readTarget(
      fileURLToPath(new URL('../targets/plain/x402-client.json', import.meta.url)),
    )
    const { client } = roles
    if (client === undefined || !('start' in client)) throw new Error('the manifest has no client')
    // Each request of the second kind is a process.
    const some = { only: ['CLI-001/pays', 'CLI-003/limit', 'EVM-EXACT-013/value'] }
    const options = { target: { ...target, roles: { client: { ...client, protocol } } }, runs: 4 }
    const { record } = await conform(protocol === 'exec' ? { ...options, ...some } : options)
    const red = record.results.filter(({ status }) => status !== 'pass' && status !== 'not-applicable')
    const passed = record.results.filter(({ status }) => status === 'pass').length
    expect([red.map(({ check, status, finding }) => [check, status, finding]), passed]).toEqual([
      [],
      protocol === 'exec' ? 3 : 53,
    ])
  },
  120_000,
)

test('a server in plain Node needs a manifest and no code', async () => {
  const target = await readTarget(fileURLToPath(new URL('../targets/plain/x402-target.json', import.meta.url)))
  const { record, exitCode } = await conform({ target })
  const red = record.results.filter(({ status }) => !['pass', 'not-applicable', 'warn'].includes(status))
  expect([red.map(({ check, finding }) => [check, finding]), exitCode]).toEqual([[], 0])
  // What it does not announce counts for nothing, and is told.
  expect(absentAreas(record.results)).toEqual([
    ...['A2A', 'BAZAAR', 'DESC', 'EXT', 'EXT-CODE', 'EXT-ID', 'EXT-OFFER', 'EXT-SIGN', 'MCP'],
  ])
}, 120_000)

let rail: Rail
beforeAll(async () => {
  rail = await startRail('evm')
}, 60_000)
afterAll(() => rail?.stop())

/** A few checks of a role, on one chain for all of these tests. */
async function play(roles: Target['roles'], checks: readonly string[], answerMs = 1_000) {
  const target = { name: 'bad', roles }
  const { record } = await conform({ target, only: checks, families: ['evm'], rails: [rail], answerMs })
  return record.results.map(({ check, status, finding }) => ({ check, status, what: finding?.what ?? '' }))
}

test.each([
  ['answers HTML', { text: '<html>welcome</html>' }],
  ['closes the connection', 'close'],
  ['sends a gigabyte', 'gigabyte'],
  ['answers 402 without an offer', { status: 402, json: {} }],
  ['answers 402 with rubbish', { status: 402, headers: { 'PAYMENT-REQUIRED': '%%%' }, text: '' }],
] as const)('a server that %s is a finding with a clear line', async (_, answer) => {
  const open = async () => listen(async (_request, response) => reply(response, answer))
  const results = await play({ server: { open } }, ['HTTP-002/header', 'HTTP-047/delivers', 'SRV-004/at-once'])
  expect(results.map(({ status }) => status)).toEqual(['fail', 'fail', 'fail'])
  for (const { what } of results) expect(what).toMatch(/^[^\n]{10,300}$/)
})

test.each([
  ['says nothing', 'setInterval(() => {}, 1000)', /did not answer within 1 s|stopped answering/],
  [
    'writes what is no JSON',
    "process.stdin.on('data', () => console.log('<html>'))",
    /did not answer|stopped answering/,
  ],
  ['ends', "process.stdin.once('data', () => setTimeout(() => process.exit(3), 50))", /ended in the middle/],
] as const)('a client that says hello and then %s is a finding, and no hang', async (_, script, line) => {
  const hello = `console.log('{"seq":1,"ok":{"name":"bad"}}');${script}`
  const start = `node -e "${hello.replaceAll('"', '\\"')}"`
  const checks = ['CLI-001/pays', 'CLI-008/carries-one', 'CLI-003/limit', 'HTTP-006/header', 'CLI-009/repeats']
  const results = await play({ client: { start } }, checks)
  expect(results.length).toBe(5)
  expect(results.filter(({ status }) => status !== 'fail' && status !== 'untestable')).toEqual([])
  for (const { what } of results) expect(what).toMatch(line)
})

test('a program that falls over is started again, and its last words are told', async () => {
  const program = `require('http').createServer((request, response) => {
    if (request.url === '/settle') throw new RangeError('out of money');
    response.setHeader('content-type', 'application/json');
    response.statusCode = request.url === '/supported' ? 200 : 400;
    response.end('{"kinds":[]}')
  }).listen(0, '127.0.0.1', function () {
    console.log(JSON.stringify({ ready: { url: 'http://127.0.0.1:' + this.address().port } }))
  })`
  const start = `node -e ${JSON.stringify(program.replaceAll('\n', ' '))}`
  const checks = ['FAC-001/endpoints', 'FAC-060/kinds', 'FAC-063/extensions']
  const found = Object.fromEntries(
    (await play({ facilitator: { start } }, checks, 5_000)).map((each) => [each.check, each.what]),
  )
  expect(found['FAC-001/endpoints']).toMatch(
    /closed the connection; its process has ended \(exit 1\): RangeError: out of money$/,
  )
  // Whoever comes next meets a program that runs.
  expect(found['FAC-060/kinds']).not.toMatch(/refuses connections/)
  expect(found['FAC-063/extensions']).toContain('extensions')
})

test('a target that lies about money is believed in nothing', async () => {
  const { url, close } = await listen(async (request, response) => {
    const kinds = [{ x402Version: 2, scheme: 'exact', network: 'eip155:84532' }]
    const transaction = `0x${'ab'.repeat(32)}`
    const said =
      request.url === '/supported'
        ? { kinds, extensions: [], signers: {} }
        : { isValid: true, success: true, transaction, network: 'eip155:84532' }
    return reply(response, { json: said })
  })
  const results = await play({ facilitator: { open: async () => ({ url, close }) } }, [
    'FAC-038/settles',
    'FAC-031/twice',
  ])
  expect(results.map(({ what }) => what)).toEqual([
    'the chain does not show what it should',
    'the chain does not show what it should',
  ])
})

test('a run that is broken off ends, and says how far it came', async () => {
  const controller = new AbortController()
  const open = async () => listen(async (_, response) => reply(response, 'hang'))
  const { exitCode, record } = await conform({
    target: { name: 'slow', roles: { server: { open } } },
    families: ['evm'],
    rails: [rail],
    signal: controller.signal,
    onEvent: ({ type }) => {
      if (type === 'run') setTimeout(() => controller.abort(), 200)
    },
  })
  expect([exitCode, record.summary]).toEqual([130, undefined])
})
