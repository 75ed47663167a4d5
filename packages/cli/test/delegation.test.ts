import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { delegate7702, deployPlainDelegate, type EvmChain, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'

let chain: EvmChain
let folder: string

beforeAll(async () => {
  chain = await startEvmChain()
  folder = await mkdtemp(join(tmpdir(), 'groat-delegation-'))
})
afterAll(async () => {
  await chain?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function groat(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const io = { ...recordedIo(), environment }
  const exitCode = await runCli(['signer', ...args, '--network', 'base-sepolia', '--rpc', chain.rpcUrl], io)
  return { exitCode, out: io.written(), said: io.said() }
}

const codeOf = async (address: `0x${string}`) => (await chain.client.getCode({ address })) ?? '0x'

test('FAC-110 groat signer delegate lets a signer send groups to itself, and undelegate takes it back', async () => {
  const { address, privateKey } = chain.account('facilitator')
  const environment = { GROAT_EVM_KEY: privateKey }
  const early = await groat(['delegate'], environment)
  expect([early.exitCode, early.said]).toEqual([1, expect.stringContaining('deploy it first')])
  const first = await groat(['delegate', '--deploy', '--json'], environment)
  expect([first.exitCode, JSON.parse(first.out)]).toEqual([
    0,
    {
      signer: address,
      delegate: '0xfe36c0d95fa168caa65aa7b17937a25c7efb036b',
      ok: true,
      transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    },
  ])
  expect(await codeOf(address)).toBe('0xef0100fe36c0d95fa168caa65aa7b17937a25c7efb036b')
  expect((await groat(['delegate'], environment)).out).toContain('already')
  const file = join(folder, 'gas.key')
  await writeFile(file, privateKey, { mode: 0o600 })
  await chmod(file, 0o600)
  const back = await groat(['undelegate', '--key-file', file])
  expect([back.exitCode, back.out]).toEqual([0, expect.stringContaining('runs no code since 0x')])
  expect(await codeOf(address)).toBe('0x')
})

test('FAC-110 an account that runs something else is left as it is', async () => {
  const { address, privateKey } = chain.account('facilitator2')
  await delegate7702(chain, address, await deployPlainDelegate(chain))
  const before = await codeOf(address)
  for (const wish of [['delegate', '--deploy'], ['undelegate']]) {
    const refused = await groat(wish, { GROAT_EVM_KEY: privateKey })
    expect([refused.exitCode, refused.said]).toEqual([1, expect.stringContaining('other code')])
  }
  expect(await codeOf(address)).toBe(before)
  const none = await groat(['delegate'])
  expect([none.exitCode, none.said]).toEqual([2, expect.stringContaining('GROAT_EVM_KEY')])
  const odd = await groat(['delegate', '--delegate', '0x12'], { GROAT_EVM_KEY: privateKey })
  expect(odd.exitCode).toBe(2)
})
