import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPayer } from '@groat/client'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { createApiKey, hashApiKey } from '@groat/facilitator'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

// A shop that sells through a facilitator with tenants: both from files, over HTTP.

const full = createApiKey()
const narrow = createApiKey()
const slow = createApiKey()
let sandbox: Sandbox
let folder: string
let upstream: Server
let facilitator: { readonly url: string; stop(): Promise<void> }

beforeAll(async () => {
  sandbox = await startSandbox({ demo: false, only: 'evm' })
  folder = await mkdtemp(join(tmpdir(), 'groat-facilitator-key-'))
  upstream = createServer((_, response) => response.end('sunny')).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const file = join(folder, 'pay.yaml')
  await writeFile(
    file,
    `
listen: 127.0.0.1:0
store: pay.db
networks:
  base-sepolia: { rpc: ["\${RPC}"], signers: ["\${KEY}"] }
tenants:
  shop: { keys: ["${full.hash}"], scopes: [verify, settle] }
  other: { keys: ["${narrow.hash}"], scopes: [metrics] }
  little: { keys: ["${slow.hash}"], scopes: [verify, settle], limits: { verify: 1/min } }
`,
  )
  const io = recordedIo({ environment: { RPC: sandbox.ready.evm?.rpcUrl ?? '', KEY: keyOf('facilitator2') } })
  const running = runCli(['facilitator', file, '--json'], io)
  const { ready } = JSON.parse(await Promise.race([io.firstLine, running.then(() => io.said())]))
  facilitator = {
    url: ready.url,
    async stop() {
      io.stop()
      await running
    },
  }
})
afterAll(async () => {
  await facilitator?.stop()
  upstream?.closeAllConnections()
  upstream?.close()
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

const keyOf = (role: string) => sandbox.ready.accounts.find((each) => each.role === role)?.evm?.privateKey ?? ''

let count = 0
async function configure(named: string): Promise<string> {
  const file = join(folder, `shop-${++count}.yaml`)
  await writeFile(
    file,
    `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(upstream.address() as AddressInfo).port}
facilitator: ${named}
payTo: { base-sepolia: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C" }
store: shop-${count}.db
routes:
  GET /weather: $0.001
`,
  )
  return file
}

async function open(named: string, environment: Record<string, string> = {}) {
  const io = recordedIo({ environment })
  const end = runCli(['serve', await configure(named), '--json'], io)
  onTestFinished(async () => {
    io.stop()
    await end
  })
  const { ready } = JSON.parse(await Promise.race([io.firstLine, end.then(() => io.said())]))
  const schemes = [exactEvm({ account: privateKeyAccount(keyOf('payer')) })]
  const payer = createPayer({ schemes, limits: { attempts: 1 } })
  const buy = async () => {
    const response = await payer.fetch(`${ready.url}/weather`)
    return { status: response.status, text: await response.text(), outcome: payer.outcome(response)?.status }
  }
  const turnedAway = (code = 'facilitator_unauthorized') =>
    io
      .said()
      .split('\n')
      .filter((line) => line.includes(`"msg":"${code}"`))
      .map((line) => JSON.parse(line))
  return { io, buy, turnedAway }
}

test('FAC-100 a shop names its API key, out of the environment, and sells', async () => {
  const { io, buy, turnedAway } = await open(`{ url: ${facilitator.url}, key: "\${GROAT_FACILITATOR_KEY}" }`, {
    GROAT_FACILITATOR_KEY: full.key,
  })
  expect(await buy()).toEqual({ status: 200, text: 'sunny', outcome: 'settled' })
  expect(turnedAway()).toEqual([])
  expect(io.said() + io.written()).not.toContain(full.key)
})

test.each([
  ['no key', () => facilitator.url, '', [401, 401], /wants an API key.*GROAT_FACILITATOR_KEY/],
  ['another key', () => `{ url: ${facilitator.url}, key: "\${KEY}" }`, createApiKey().key, [401, 401], /does not know/],
  ['a key for less', () => `{ url: ${facilitator.url}, key: "\${KEY}" }`, narrow.key, [403], /is not good for this/],
] as const)(
  'with %s a shop says so when it starts, and for the payment that it cannot take',
  async (_, named, KEY, statuses, hint) => {
    const { io, buy, turnedAway } = await open(named(), { KEY })
    const { status, text } = await buy()
    expect([status, JSON.parse(text).code]).toEqual([502, 'facilitator_unauthorized'])
    const told = turnedAway()
    expect(told.slice(0, statuses.length).map((line) => line.status)).toEqual(statuses)
    expect(told.at(-1)).toMatchObject({ level: 'error', operation: 'verify', hint: expect.stringMatching(hint) })
    if (KEY !== '') expect(io.said() + text).not.toContain(KEY)
  },
)

test('FAC-102 a shop over its quota says so, to its buyers and in its log, with the seconds to wait', async () => {
  const { buy, turnedAway } = await open(`{ url: ${facilitator.url}, key: "\${KEY}" }`, { KEY: slow.key })
  expect((await buy()).outcome).toBe('settled')
  const { status, text } = await buy()
  expect([status, JSON.parse(text)]).toEqual([503, expect.objectContaining({ code: 'facilitator_busy' })])
  const retryAfter = expect.toSatisfy((seconds) => seconds > 30 && seconds <= 60)
  const { hint, ...told } = turnedAway('facilitator_busy').at(-1)
  expect(told).toMatchObject({ level: 'warn', operation: 'verify', status: 429, said: 'quota_exceeded', retryAfter })
  expect(hint).toMatch(/quota.*used up.*Ask its operator/)
  expect(turnedAway('fault').at(-1)).toMatchObject({ code: 'facilitator_busy', retryAfter })
})

test('a key that stands in a file that others read, and one that is none, are mistakes in the file', async () => {
  const check = async (named: string) => {
    const io = recordedIo()
    return [await runCli(['serve', '--check', await configure(named)], io), io.said()]
  }
  expect(await check(`{ url: ${facilitator.url}, key: ${full.key} }`)).toEqual([
    2,
    expect.stringMatching(/\.yaml:3: facilitator\.key: a key stands in a file that others can read/),
  ])
  expect(await check(`{ url: ${facilitator.url}, key: "two words" }`)).toEqual([
    2,
    expect.stringMatching(/\.yaml:3: facilitator\.key: expected an API key/),
  ])
  expect(await check(`{ url: ${facilitator.url}, key: "\${NOT_SET}" }`)).toEqual([
    2,
    expect.stringContaining('facilitator.key: the environment has no NOT_SET'),
  ])
  expect(hashApiKey(full.key)).toBe(full.hash)
})
