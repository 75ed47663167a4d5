import { access, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultAssets, encodeChallenge, network } from '@groat/core'
import { evmAccounts, svmAccounts } from '@groat/sandbox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'

/** A seller that is no sandbox, and writes down what it is asked. */
let seller: Server
let url: string
let folder: string
let asked: string[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-anywhere-'))
  seller = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url} ${await textOf(request)}`)
    if (request.url === '/order') response.end('{"order":1}')
    else if (request.url === '/bad') response.writeHead(400).end('{"wrong":"quantity"}')
    else if (request.url === '/report') response.writeHead(402, challenge(`${url}/report`)).end('{}')
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => seller.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(seller.address() as AddressInfo).port}`
})
beforeEach(() => {
  asked = []
})
afterAll(async () => {
  seller.closeAllConnections()
  await new Promise((resolve) => seller.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

/** 0.001 USDC on either chain. */
function challenge(resource: string): Record<string, string> {
  const [evm, svm] = [network('base-sepolia'), network('solana-devnet')]
  const offer = { scheme: 'exact', amount: 1_000n, maxTimeoutSeconds: 60 }
  const accepts = [
    {
      ...offer,
      network: evm,
      asset: defaultAssets(evm)[0]?.address ?? '',
      payTo: evmAccounts[2].address,
      extra: { name: 'USDC', version: '2' },
    },
    {
      ...offer,
      network: svm,
      asset: defaultAssets(svm)[0]?.address ?? '',
      payTo: svmAccounts[2].address,
      extra: { feePayer: svmAccounts[1].address },
    },
  ]
  return { ...encodeChallenge({ accepts, resource: { url: resource } }).headers }
}

const run = async (args: readonly string[], environment: Record<string, string> = {}) => {
  const io = recordedIo({ environment: { GROAT_HOME: folder, ...environment } })
  return { exitCode: await runCli(['pay', ...args], io), out: io.written(), said: io.said() }
}
const evmKey = { GROAT_EVM_KEY: evmAccounts[0].privateKey }
const svmKey = { GROAT_SVM_KEY: svmAccounts[0].secretKey }

test.each([
  ['a free order', 'order', 0, '{"order":1}\n'],
  ['a request that is refused for itself', 'bad', 1, '{"wrong":"quantity"}\n'],
])('%s is sent once', async (_, path, exitCode, out) => {
  expect(await run([`${url}/${path}`, '-d', 'socks'], evmKey)).toMatchObject({ exitCode, out })
  expect(asked).toEqual([`POST /${path} socks`])
})

test.each([
  ['a folder that is not there', 'nowhere/x'],
  ['a folder', '.'],
])('an answer that would go to %s is not asked for', async (_, output) => {
  const { exitCode, out, said } = await run([`${url}/order`, '-o', join(folder, output)], evmKey)
  expect([exitCode, out, asked]).toEqual([2, '', []])
  expect(said).toMatch(/^groat: \S+ cannot be written: \w+\n$/)
})

test('a request that cannot be paid leaves no empty file', async () => {
  const file = join(folder, 'empty')
  expect(await run([`${url}/report`, '-o', file, '--max', '$0.0001'], evmKey)).toMatchObject({ exitCode: 1 })
  await expect(access(file)).rejects.toThrow()
})

test.each([
  ['without a key', {}],
  ['with a Solana key', svmKey],
  ['with both keys', { ...evmKey, ...svmKey }],
])('Solana without a node, %s: the hint is where to name one', async (_, environment) => {
  const { exitCode, said } = await run([`${url}/report`, '--network', 'solana-devnet'], environment)
  expect(exitCode).toBe(1)
  expect(said).toContain('exact on solana-devnet: No recent blockhash is known')
  expect(said).toMatch(/\n {2}Name a Solana node with --svm-rpc or GROAT_SVM_RPC\.\n$/)
})

test.each([
  ['solana-devnet', evmKey, 'No Solana key to pay with', 'Set GROAT_SVM_KEY, or name a file with --key-file.'],
  ['base-sepolia', svmKey, 'No EVM key to pay with', 'Set GROAT_EVM_KEY, or name a file with --key-file.'],
])('%s without a key for it: the hint is where to put one', async (name, environment, reason, hint) => {
  const { said } = await run([`${url}/report`, '--network', name], environment)
  expect(said).toContain(`exact on ${name}: ${reason}`)
  expect(said).toMatch(new RegExp(`\n {2}${hint}\n$`))
})

test('a refusal speaks of the options of the command, not of the library', async () => {
  const dear = await run([`${url}/report`, '--max', '$0.0001'], { ...evmKey, ...svmKey })
  expect(dear.said).toMatchInlineSnapshot(`
    "  not paid  The price is above the limit per payment (amount_over_limit)
        exact on base-sepolia: 0.001 USDC is above $0.0001 (amount_over_limit)
        exact on solana-devnet: 0.001 USDC is above $0.0001 (amount_over_limit)
      Allow more with --max.
    "
  `)
  const elsewhere = await run([`${url}/report`, '--network', 'base'], { ...evmKey, ...svmKey })
  expect(elsewhere.said).toContain('exact on base-sepolia: not among --network base')
  expect(elsewhere.said).toContain('Name a network of the offers with --network, or leave it out.')
})

test('payments that cannot be written down anywhere are not made', async () => {
  const { exitCode, said } = await run([`${url}/report`, '--store', '/dev/null/purse.db'], evmKey)
  expect([exitCode, said]).toEqual([2, 'groat: /dev/null cannot be made\n  Say with --store where to keep payments.\n'])
})

test('a key that is none is named by where it stands', async () => {
  const { exitCode, said } = await run([`${url}/report`], { GROAT_EVM_KEY: 'abc' })
  expect([exitCode, said]).toMatchObject([2, expect.stringContaining('GROAT_EVM_KEY is not a private key')])
})

test('a dry run sends the body and signs nothing', async () => {
  const { exitCode, out, said } = await run([`${url}/report`, '--dry-run', '-d', 'socks'], evmKey)
  // A sandbox would say where its chain is, so that the effect can be tried.
  expect([exitCode, asked]).toEqual([0, ['GET /sandbox/ready ', 'POST /report socks']])
  expect(said).toContain('asks 0.001 USDC on base-sepolia')
  expect(JSON.parse(out)).toMatchObject({ network: 'eip155:84532', authorization: { value: '1000' } })
})

test('a dry run needs no key, wherever the seller is', async () => {
  const { exitCode, said } = await run([`${url.replace('127.0.0.1', '0.0.0.0')}/report`, '--dry-run'])
  expect([exitCode, asked]).toEqual([1, ['GET /report ']])
  expect(said).toContain('insecure_origin')
})
