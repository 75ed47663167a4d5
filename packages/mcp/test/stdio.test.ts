import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPayer } from '@groat/client'
import { exactEvm } from '@groat/evm/exact/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { build } from 'esbuild'
import { expect, onTestFinished, test } from 'vitest'
import { payingClient } from '../src/client/index.js'
import { account } from './support/shop.js'

test('MCP-041 over stdio: a server that is a program of its own is paid', async () => {
  // Beside the modules of the package, so that the program finds what it imports.
  const folder = await mkdtemp(fileURLToPath(new URL('../node_modules/.stdio-', import.meta.url)))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'shop.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('support/stdio-shop.ts', import.meta.url))],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['@modelcontextprotocol/sdk', 'zod', 'secp256k1', '@bitauth/libauth'],
  })
  const client = new Client({ name: 'buyer', version: '1' })
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [file] }))
  onTestFinished(() => client.close())
  const payer = createPayer({ schemes: [exactEvm({ account })] })
  const paying = payingClient(client, payer, { server: 'http://localhost/shop' })
  const result = await paying.callTool({ name: 'forecast', arguments: { city: 'Oslo' } })
  expect(result.content).toEqual([{ type: 'text', text: 'Sun over Oslo' }])
  expect(paying.outcome(result)).toMatchObject({ status: 'settled', payment: { amount: 1000n } })
})
