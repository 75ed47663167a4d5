import { createServer, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { runCli } from '../src/index.js'
import { recordedIo } from './io.js'

/** What is said of a server that always answers so. */
async function doctored(status: number, headers: OutgoingHttpHeaders) {
  const server = createServer((_, response) => void response.writeHead(status, headers).end('{}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const io = recordedIo()
  const { port } = server.address() as AddressInfo
  const exitCode = await runCli(['doctor', `http://127.0.0.1:${port}/paid`], io)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  return { exitCode, io }
}

test.each([
  ['a free URL', 200, {}, 'This URL costs nothing'],
  ['a 402 without offers', 402, {}, 'Send PAYMENT-REQUIRED'],
  ['offers in the alphabet of URLs', 402, { 'payment-required': 'eyJhIjoiPz8-In0' }, 'the alphabet of URLs'],
  ['an offer with a number', 402, { 'payment-required': offers({ amount: 10 }) }, '$0.01 of USDC is "10000"'],
])('%s is explained', async (_, status, headers, hint) => {
  const { exitCode, io } = await doctored(status, headers)
  expect([exitCode, io.written().includes(hint)]).toEqual([1, true])
})

test('hostile offers are told in lines of ours, and end nothing', async () => {
  const evil = '\u001b[2J\n::error::\u202e'
  const many = Array.from({ length: 40 }, () => ({ scheme: { toString: 1 }, network: [evil], amount: 1, asset: evil }))
  const value = Buffer.from(JSON.stringify({ x402Version: 2, accepts: many })).toString('base64')
  const { exitCode, io } = await doctored(402, { 'payment-required': value })
  const lines = io.written().trimEnd().split('\n')
  expect([exitCode, lines.filter((line) => !/^(ok |note |WRONG| {8})/.test(line))]).toEqual([1, []])
  for (const character of ['\u001b', '\u202e']) expect(io.written()).not.toContain(character)
  expect(io.written()).toContain('8 more offers were not looked at')
})

test('a URL where nobody listens is unreachable', async () => {
  const io = recordedIo()
  expect(await runCli(['doctor', 'http://127.0.0.1:9/'], io)).toBe(3)
  expect(io.written()).toContain('refuses connections')
  expect(await runCli(['doctor', 'nonsense'], io)).toBe(2)
})

function offers(change: object): string {
  const offer = {
    scheme: 'exact',
    network: 'eip155:84532',
    amount: '1',
    asset: '0x1',
    payTo: '0x2',
    maxTimeoutSeconds: 60,
    extra: {},
    ...change,
  }
  return Buffer.from(JSON.stringify({ x402Version: 2, resource: { url: 'http://x' }, accepts: [offer] })).toString(
    'base64',
  )
}
