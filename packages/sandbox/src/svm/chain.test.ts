import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSolanaRpc } from '@solana/kit'
import { build } from 'esbuild'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { memo, signed, signerOf } from '../../test/svm-kit.js'
import {
  type SvmChain,
  type SvmChainOptions,
  startSvmChain,
  svmAccounts,
  svmUsdcAddress,
  writeSvmGenesis,
} from '../index.js'
import { faucetSecretKey } from './accounts.js'
import { associatedTokenAddress } from './wire/derived-address.js'
import { keypairFromSeed, parseSecretKey } from './wire/keypair.js'

const cleanups: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function ownChain(options: SvmChainOptions = {}): Promise<SvmChain> {
  const chain = await startSvmChain({ rpcUrl: false, ...options })
  cleanups.push(() => chain.stop())
  return chain
}

test('has funded accounts, whose keys fit', async () => {
  const chain = await ownChain()
  const found = await Promise.all(
    chain.accounts.map(async ({ role, secretKey, address, usdcAccount }) => ({
      role,
      keyOf: (await signerOf(secretKey)).address === address,
      ataOf: associatedTokenAddress(address, svmUsdcAddress) === usdcAccount,
      lamports: await chain.lamports(address),
      usdc: await chain.balance(address),
    })),
  )
  expect(found).toEqual(
    svmAccounts.map(({ role }) => ({
      role,
      keyOf: true,
      ataOf: true,
      lamports: 100_000_000_000n,
      usdc: role.startsWith('payer') ? 1_000_000_000n : 0n,
    })),
  )
  expect(() => chain.account('nobody' as 'payer')).toThrow('No sandbox account has the role nobody.')
})

test('keys are one byte, thirty-two times, as in the documentation', () => {
  const bytes = [2, 3, 1, 5, 6, 7, 8, 9, 10, 11, 12]
  const keys = [...svmAccounts.map(({ secretKey }) => secretKey), faucetSecretKey]
  expect(keys.map((key) => parseSecretKey(key).address)).toEqual(
    bytes.map((byte) => keypairFromSeed(new Uint8Array(32).fill(byte)).address),
  )
})

test('two chains run side by side, and a transaction of one is nothing to the other', async () => {
  const [one, other] = await Promise.all([ownChain(), ownChain()])
  const payer = await signerOf(one.account('payer').secretKey)
  const { value } = await createSolanaRpc(one.rpcUrl).getLatestBlockhash().send()
  const { wire } = await signed(payer, [memo('mine')], value)
  await createSolanaRpc(one.rpcUrl).sendTransaction(wire, { encoding: 'base64' }).send()
  await expect(
    createSolanaRpc(other.rpcUrl).sendTransaction(wire, { encoding: 'base64' }).send(),
  ).rejects.toMatchObject({
    cause: { message: 'Blockhash not found' },
  })
})

test('a seed and a clock make it the same every time', async () => {
  const run = async (seed: string) => {
    const chain = await ownChain({ seed, clock: () => 1_800_000_000_000, tick: 'off' })
    await chain.step(3)
    return (await createSolanaRpc(chain.rpcUrl).getLatestBlockhash().send()).value
  }
  expect(await run('a')).toEqual(await run('a'))
  expect(await run('a')).not.toEqual(await run('b'))
})

test('blocks come by themselves, unless told not to', async () => {
  const [ticking, still] = [await ownChain({ tick: 20 }), await ownChain({ tick: 'off' })]
  const [moving, standing] = [await ticking.slot(), await still.slot()]
  await until(async () => (await ticking.slot()) > moving + 2n)
  expect(await still.slot()).toBe(standing)
  await ticking.setTick('off')
  const stopped = await ticking.slot()
  await still.setTick(20)
  await until(async () => (await still.slot()) > standing + 2n)
  expect(await ticking.slot()).toBe(stopped)
})

test('commitments lag as told', async () => {
  const chain = await ownChain({ tick: 'off', commitmentLag: { confirmed: 1, finalized: 3 } })
  const rpc = createSolanaRpc(chain.rpcUrl)
  const payer = await signerOf(chain.account('payer').secretKey)
  const { value } = await rpc.getLatestBlockhash({ commitment: 'finalized' }).send()
  const signature = await rpc
    .sendTransaction((await signed(payer, [memo('slow')], value)).wire, { encoding: 'base64' })
    .send()
  const seen: unknown[] = []
  for (let slot = 0; slot < 4; slot++) {
    seen.push((await rpc.getSignatureStatuses([signature]).send()).value[0]?.confirmationStatus)
    await chain.step()
  }
  expect(seen).toEqual(['processed', 'confirmed', 'confirmed', 'finalized'])
})

test('stop closes both ports and every connection, and may be called again', async () => {
  const chain = await ownChain()
  const node = await chain.startNode()
  const sockets = [chain.wsUrl, node.wsUrl].map((url) => new WebSocket(url))
  await Promise.all(sockets.map((socket) => once(socket, 'open')))
  const closed = sockets.map((socket) => once(socket, 'close'))
  await chain.stop()
  await Promise.all(closed)
  for (const url of [chain.rpcUrl, chain.wsUrl, node.rpcUrl])
    await expect(fetch(url.replace('ws:', 'http:'))).rejects.toThrow('fetch failed')
  await chain.stop()
})

test('a process that stops its chain ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groat-sandbox-'))
  cleanups.push(() => rm(folder, { recursive: true }))
  const outfile = join(folder, 'child.mjs')
  const here = fileURLToPath(new URL('.', import.meta.url))
  await build({
    stdin: {
      contents: `
        import { startSvmChain } from './chain.js'
        const chain = await startSvmChain({ rpcUrl: false })
        await fetch(chain.rpcUrl)
        await chain.stop()
        process.stdout.write('stopped')`,
      resolveDir: here,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    // A bundle elsewhere does not find what is installed here.
    plugins: [
      {
        name: 'paths',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^(litesvm|ws)/ }, ({ path }) => ({
            path: fileURLToPath(import.meta.resolve(path)),
            external: true,
          })),
      },
    ],
  })
  const child = spawn(process.execPath, [outfile], { stdio: ['ignore', 'pipe', 'inherit'] })
  let written = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text
  })
  const [code] = await once(child, 'close')
  expect({ code, written }).toEqual({ code: 0, written: 'stopped' })
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
    message: expect.stringContaining(`Port ${port}`),
  })
})

test('its beginning can be written for a validator', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groat-sandbox-'))
  cleanups.push(() => rm(folder, { recursive: true }))
  await writeSvmGenesis(folder)
  expect(await readdir(folder)).toHaveLength(1 + 2 * svmAccounts.length)
  const chain = await ownChain()
  const { usdcAccount } = chain.account('payer')
  const { value } = await createSolanaRpc(chain.rpcUrl)
    .getAccountInfo(usdcAccount as never, { encoding: 'base64' })
    .send()
  expect(JSON.parse(await readFile(join(folder, `${usdcAccount}.json`), 'utf8'))).toMatchObject({
    pubkey: usdcAccount,
    account: { lamports: Number(value?.lamports), owner: value?.owner, data: value?.data, executable: false },
  })
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10))
}
