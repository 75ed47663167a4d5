import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readFacilitatorConfig } from './facilitator-config.js'

const key = `0x${'ab'.repeat(32)}`
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-config-'))
})
afterEach(() => rm(folder, { recursive: true }))

const read = async (text: string, environment: Record<string, string> = {}, mode = 0o644) => {
  const file = join(folder, 'pay.yaml')
  // `KEY` stands for a reference to the environment.
  await writeFile(file, text.replace(/"([A-Z_]+)"/g, '"$${$1}"'))
  await chmod(file, mode)
  try {
    return await readFacilitatorConfig(file, environment)
  } catch (error) {
    return (error as Error).message.replaceAll(folder, '')
  }
}

test('a facilitator is its listen address, its journal and its networks', async () => {
  const text = `
store: pay.db
networks:
  base:
    rpc: ["RPC"]
    signers: ["KEY"]
    assets: [USDC]
`
  expect(await read(text, { RPC: 'https://rpc.example/secret', KEY: key })).toMatchObject({
    host: '127.0.0.1',
    port: 4402,
    store: join(folder, 'pay.db'),
    networks: [
      { network: 'eip155:8453', rpc: ['https://rpc.example/secret'], signers: [key], assets: [{ symbol: 'USDC' }] },
    ],
  })
})

test('a journal is meant from where the file is; a database is where its URL says', async () => {
  const networks = 'networks:\n  base: { rpc: ["http://x"], signers: ["KEY"] }\n'
  const storeOf = async (store: string) => read(`store: ${store}\n${networks}`, { KEY: key })
  expect([
    await storeOf('data/pay.db'),
    await storeOf('/var/pay.db'),
    await storeOf('postgres://pay.example/pay'),
  ]).toMatchObject([
    { store: join(folder, 'data/pay.db') },
    { store: '/var/pay.db' },
    { store: 'postgres://pay.example/pay' },
  ])
})

test('what is wrong is said with file, line and reason', async () => {
  const networks = (inner: string) => `store: pay.db\nnetworks:\n  base:\n${inner}`
  expect([
    await read('store: [\n'),
    await read('store: pay.db\nstore: pay.db\n'),
    await read('store: pay.db\ncolour: red\nnetworks: {}\n'),
    await read('store: pay.db\n\nnetworks: {}\n'),
    await read('stor: pay.db\nnetworks: {}\n'),
    await read(networks('    rpc: "http://x"\n    signers: ["KEY"]\n'), { KEY: key }),
    await read(networks('    rpc: ["NO_RPC"]\n    signers: ["NO_KEY"]\n')),
    await read('listen: nowhere\nstore: pay.db\nnetworks: {}\n'),
    await read(networks('    rpc: ["ftp://x"]\n    signers: ["KEY"]\n'), { KEY: key }),
    await read(networks('    rpc: ["http://x"]\n    signers:\n      - "NO_KEY"\n')),
    await read(networks('    rpc: ["http://x"]\n    signers: ["0x12"]\n')),
    await read(networks(`    rpc: ["http://x"]\n    signers: ["${key}"]\n`)),
    await read(networks('    rpc: ["http://x"]\n    fee_payer: "KEY"\n'), { KEY: key }),
    await read(networks('    rpc: ["http://x"]\n'), { KEY: key }),
    await read(networks('    rpc: ["http://x"]\n    signers: ["KEY"]\n    assets: [DOGE]\n'), { KEY: key }),
    await read('store: pay.db\nnetworks:\n  solana: { rpc: ["http://x"], fee_payer: "KEY" }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  solana: { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  "cosmos:hub": { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  bass: { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
  ]).toMatchInlineSnapshot(`
    [
      "/pay.yaml:2: Flow sequence in block collection must be sufficiently indented and end with a ]",
      "/pay.yaml:2: Map keys must be unique",
      "/pay.yaml:2: colour: unknown field",
      "/pay.yaml:3: networks: no network is given",
      "/pay.yaml:1: store: is missing
    /pay.yaml:1: stor: unknown field",
      "/pay.yaml:4: networks.base.rpc: expected a list: [one, another]",
      "/pay.yaml:4: networks.base.rpc.0: the environment has no NO_RPC
    /pay.yaml:5: networks.base.signers.0: the environment has no NO_KEY",
      "/pay.yaml:1: listen: expected HOST:PORT",
      "/pay.yaml:4: networks.base.rpc.0: expected an http or https URL",
      "/pay.yaml:6: networks.base.signers.0: the environment has no NO_KEY",
      "/pay.yaml:5: networks.base.signers.0: expected a private key: 0x and 64 hex digits",
      "/pay.yaml:5: networks.base.signers.0: a key stands in a file that others can read; name a variable, or chmod 600",
      "/pay.yaml:5: networks.base.fee_payer: this chain has signers instead",
      "/pay.yaml:4: networks.base: signers: expected a private key: 0x and 64 hex digits",
      "/pay.yaml:6: networks.base.assets.0: DOGE is no default asset of this network",
      "/pay.yaml:3: networks.solana.fee_payer: expected a secret key: base58 of 64 bytes",
      "/pay.yaml:3: networks.solana.signers: this chain has fee_payer instead",
      "/pay.yaml:3: networks.cosmos:hub: nothing settles on cosmos chains",
      "/pay.yaml:3: networks.bass: not a CAIP-2 id and not a known name such as base or base-sepolia",
    ]
  `)
  expect(await read(networks(`    rpc: ["http://x"]\n    signers: ["${key}"]\n`), {}, 0o600)).toMatchObject({
    networks: [{ signers: [key] }],
  })
})
