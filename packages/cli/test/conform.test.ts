import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { runCli, type Sandbox, startSandbox } from '../src/index.js'
import { recordedIo } from './io.js'

let sandbox: Sandbox
let folder: string
beforeAll(async () => {
  sandbox = await startSandbox({ demo: false })
  folder = await mkdtemp(join(tmpdir(), 'groat-conform-'))
}, 60_000)
afterAll(async () => {
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

test('a facilitator of a sandbox is tested on the chains of that sandbox, and the report is written', async () => {
  const io = recordedIo()
  const { url } = sandbox.ready.facilitator
  const only = ['FAC-031/twice', 'FAC-031/at-once', 'FAC-040']
  expect(await runCli(['conform', '--facilitator', url, '--report', folder, '--only', ...only], io)).toBe(0)
  expect(io.written()).toMatch(/core 6 of 6 {3}seed 1 .*\n6 passed, 0 failed, 0 skipped\n$/s)
  const lines = (await readFile(join(folder, 'results.ndjson'), 'utf8')).trim().split('\n')
  expect(lines.map((line) => JSON.parse(line).type)).toEqual(['run', ...Array(6).fill('result'), 'summary'])
  expect(await readFile(join(folder, 'junit.xml'), 'utf8')).toContain('tests="6" failures="0"')
  expect(JSON.parse(await readFile(join(folder, 'badge.json'), 'utf8'))).toMatchObject({ message: '6 of 6' })
  expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain('<title>x402 conformance</title>')
}, 60_000)

test('exit codes tell usage from a target that is not there', async () => {
  const io = recordedIo()
  expect(await runCli(['conform'], io)).toBe(64)
  expect(await runCli(['conform', '--nonsense'], io)).toBe(64)
  expect(await runCli(['conform', '--facilitator', 'http://127.0.0.1:9'], io)).toBe(3)
  expect(io.said()).toContain('http://127.0.0.1:9 refuses connections')
})

test('of a route that costs nothing it is said first that it answers no 402, and of one with a price it is not', async () => {
  const server = createServer((request, response) => {
    const isSold = request.url === '/sold'
    response.writeHead(isSold ? 402 : 200, { 'content-type': 'application/json' }).end('{}')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const conform = async (path: string) => {
    const io = recordedIo()
    return [await runCli(['conform', '--server', url + path], io), io.written()]
  }
  expect(await conform('/health')).toEqual([
    1,
    expect.stringMatching(/^ {2}http:\S+\/health answers 200 and never 402: nothing is sold there\./),
  ])
  expect(await conform('/sold')).toEqual([1, expect.not.stringContaining('nothing is sold there')])
}, 60_000)

test('a requirement is explained', async () => {
  const io = recordedIo()
  expect(await runCli(['conform', 'explain', 'FAC-031'], io)).toBe(0)
  expect(io.written()).toContain('MUST NOT move value more than once')
  expect(await runCli(['conform', 'explain', 'FAC-999'], io)).toBe(64)
})
