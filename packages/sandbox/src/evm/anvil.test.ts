import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterEach, expect, test } from 'vitest'
import { type EvmChain, findAnvil, startEvmChain, startRpcProxy, usdcAbi } from '../index.js'

const cleanups: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A chain of this test's own, whatever the environment says. */
async function ownChain(options: Parameters<typeof startEvmChain>[0] = {}): Promise<EvmChain> {
  const chain = await startEvmChain({ rpcUrl: false, ...options })
  cleanups.push(() => chain.stop())
  return chain
}

test('two chains run side by side, each on a port of its own', async () => {
  const chains = await Promise.all([ownChain(), ownChain({ chainId: 8453 })])
  expect(await Promise.all(chains.map((chain) => chain.client.getChainId()))).toEqual([84532, 8453])
  expect(chains[1].network).toBe('eip155:8453')
})

test('stop leaves no process and may be called again', async () => {
  const chain = await ownChain()
  expect(isAlive(chain.pid!)).toBe(true)
  await chain.stop()
  expect(isAlive(chain.pid!)).toBe(false)
  await chain.stop()
  await expect(chain.mine()).rejects.toMatchObject({ code: 'chain_unreachable' })
})

test('a parent that is killed leaves no anvil', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groat-sandbox-'))
  cleanups.push(() => rm(folder, { recursive: true }))
  const script = join(folder, 'parent.mjs')
  const contents = `
    import { startEvmChain } from './chain.js'
    const { pid } = await startEvmChain({ rpcUrl: false, anvilPath: process.argv[2] })
    process.stdout.write(pid + '\\n')
    setInterval(() => {}, 1000)`
  const resolveDir = fileURLToPath(new URL('.', import.meta.url))
  await build({
    stdin: { contents, resolveDir, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: script,
  })

  const parent = spawn(process.execPath, [script, findAnvil()], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(line)
  cleanups.push(async () => isAlive(pid) && process.kill(pid, 'SIGKILL'))
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await until(() => !isAlive(pid))
})

test('a port that is taken is named', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  cleanups.push(async () => server.close())
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(ownChain({ port })).rejects.toMatchObject({
    name: 'SandboxError',
    code: 'port_taken',
    message: expect.stringContaining(`Port ${port} on 127.0.0.1 is taken.\nhint: Stop what listens there`),
  })
})

test('an anvil that is not installed, or not there, is said to be missing', async () => {
  const notFound = () => {
    throw new Error('Cannot find module')
  }
  expect(() => findAnvil('plan9', 'mips', notFound)).toThrow('No anvil is installed for plan9 mips.')
  await expect(ownChain({ anvilPath: '/nowhere/anvil' })).rejects.toMatchObject({
    code: 'anvil_missing',
    hint: expect.stringContaining('optional dependencies'),
  })
})

test('the anvil of each platform is looked for beside the package that names it', () => {
  const asked: string[] = []
  const resolve = (from: string, request: string) => {
    asked.push(request)
    return from.startsWith('file:') ? '/modules/@foundry-rs/anvil/package.json' : request
  }
  expect([
    findAnvil('linux', 'x64', resolve),
    findAnvil('win32', 'x64', resolve),
    findAnvil('darwin', 'arm64', resolve),
  ]).toEqual([
    '@foundry-rs/anvil-linux-amd64/bin/anvil',
    '@foundry-rs/anvil-win32-amd64/bin/anvil.exe',
    '@foundry-rs/anvil-darwin-arm64/bin/anvil',
  ])
  expect(asked[0]).toBe('@foundry-rs/anvil/package.json')
})

test('a program that ends before it listens is not ready, and what it wrote is kept', async () => {
  await expect(ownChain({ anvilPath: process.execPath })).rejects.toMatchObject({
    code: 'chain_not_ready',
    cause: expect.objectContaining({ message: expect.stringContaining('bad option') }),
  })
})

test('a node that takes too long is given up and ended', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groat-sandbox-'))
  try {
    const anvilPath = join(folder, 'silent')
    await writeFile(anvilPath, `#!/bin/sh\necho $$ > ${join(folder, 'pid')}\nexec sleep 60\n`, { mode: 0o755 })
    await expect(ownChain({ anvilPath, readyTimeoutMs: 2000 })).rejects.toMatchObject({ code: 'chain_not_ready' })
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'))
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('blockTime lets blocks come by themselves, and transactions still at once', async () => {
  const chain = await ownChain({ blockTime: 1 })
  const [payer, seller] = [chain.account('payer').address, chain.account('seller').address]
  await chain.client.impersonateAccount({ address: payer })
  const hash = await chain.client.sendTransaction({ account: payer, to: seller, value: 1n })
  expect((await chain.client.waitForTransactionReceipt({ hash })).status).toBe('success')
  const height = await chain.client.getBlockNumber()
  await until(async () => (await chain.client.getBlockNumber()) > height)
})

test('a node that runs already is used, reset and left running', async () => {
  const own = await ownChain()
  const { usdc, multicall3 } = own
  const [payer, seller] = [own.account('payer').address, own.account('seller').address]
  await own.fund(seller, 5n)
  await own.fund('0x00000000000000000000000000000000000000aa', 3n)
  await own.setCode(payer, '0x00')

  const guest = await startEvmChain({ rpcUrl: own.rpcUrl })
  const supply = await guest.client.readContract({ address: usdc, abi: usdcAbi, functionName: 'totalSupply' })
  expect({
    pid: guest.pid,
    multicall3: guest.multicall3,
    payer: await guest.balance(payer),
    seller: await guest.balance(seller),
    supply,
    code: await guest.client.getCode({ address: payer }),
  }).toEqual({ pid: undefined, multicall3, payer: 1_000_000_000n, seller: 0n, supply: 5_000_000_003n, code: undefined })
  await guest.stop()
  expect(isAlive(own.pid!)).toBe(true)

  await expect(startEvmChain({ rpcUrl: own.rpcUrl, chainId: 1 })).rejects.toMatchObject({
    code: 'wrong_chain',
    message: expect.stringContaining('The node is chain 84532, the sandbox expects 1.'),
  })
})

test('a node without anvil’s methods is refused by the name of the method', async () => {
  const own = await ownChain()
  const plain = await startRpcProxy({
    target: own.rpcUrl,
    rules: [{ method: /^anvil_/, fault: { action: 'error', code: -32601, message: 'Method not found' } }],
  })
  cleanups.push(() => plain.stop())
  await expect(startEvmChain({ rpcUrl: plain.url })).rejects.toMatchObject({
    code: 'cheat_missing',
    message: expect.stringContaining('The node does not know anvil_setLoggingEnabled.'),
  })
})

test('a node that is not there is unreachable', async () => {
  await expect(startEvmChain({ rpcUrl: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'chain_unreachable' })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(20)
}
