import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'

test('start --once --json makes one real payment on each chain, prints the receipts and ends', async () => {
  const io = recordedIo()
  expect(await runCli(['start', '--once', '--json'], io)).toBe(0)
  const [evm, svm, ...rest] = io.written().trim().split('\n')
  expect(rest).toEqual([])
  expect(JSON.parse(evm ?? '')).toEqual({
    network: 'eip155:84532',
    scheme: 'exact',
    x402Version: 2,
    payer: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
    payTo: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    amount: '1000',
    asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
    transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    ms: expect.any(Number),
  })
  expect(JSON.parse(svm ?? '')).toEqual({
    network: 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1',
    scheme: 'exact',
    x402Version: 2,
    payer: '9hSR6S7WPtxmTojgo6GG3k4yDPecgJY292j7xrsUGWBu',
    payTo: 'GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse',
    amount: '1000',
    asset: '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU',
    transaction: expect.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{80,90}$/),
    ms: expect.any(Number),
  })
})

test('start without --json tells a person what happened', async () => {
  const io = recordedIo()
  expect(await runCli(['start', '--once'], io)).toBe(0)
  expect(io.said()).toMatch(/402 Payment Required\n {2}paid 0\.001 USDC on eip155:84532 in /)
  expect(io.said()).toContain('"temperature":11')
})

test('a port that is taken is said with the way out', async () => {
  const blocker = createServer()
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
  const { port } = blocker.address() as AddressInfo
  const io = recordedIo()
  expect(await runCli(['sandbox', '--port', String(port)], io)).toBe(3)
  // Its own port, or one of the four after it that another program has.
  expect(io.said()).toMatch(/Port \d+ (is taken|on 127\.0\.0\.1 cannot be had)/)
  expect(io.said()).toMatch(/--port\b.* 0 takes free ones|--port 0/)
  await new Promise((resolve) => blocker.close(resolve))
})

test('--version is that of the package', async () => {
  const io = recordedIo()
  expect(await runCli(['--version'], io)).toBe(0)
  expect(io.written()).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test.each([
  [['start', '--port', '70000'], 2],
  [['start', '--only', 'doge'], 2],
  [['nothing'], 2],
  [['pay'], 2],
  [['--help'], 0],
  [['pay', '--help'], 0],
])('groat %j ends with %i', async (args, exitCode) => expect(await runCli(args, recordedIo())).toBe(exitCode))
