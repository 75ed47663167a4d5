import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { facilitatorSchema, readFacilitatorConfig } from './facilitator-config.js'

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

test('two listeners want two ports, and a database is one that is opened', async () => {
  const networks = 'networks:\n  base: { rpc: ["http://x"], signers: ["KEY"] }\n'
  const admin = (listen: string, own: string) =>
    read(`listen: ${listen}\nstore: pay.db\nadmin:\n  listen: ${own}\n${networks}`, { KEY: key })
  expect(await admin('127.0.0.1:4402', '127.0.0.1:4402')).toBe(
    '/pay.yaml:4: admin.listen: 127.0.0.1:4402 is taken by `listen`',
  )
  expect(await admin('0.0.0.0:4402', '127.0.0.1:4402')).toMatch(/is taken by `listen`$/)
  expect(await admin('127.0.0.1:0', '127.0.0.1:0')).toMatchObject({ port: 0 })
  expect(await admin('127.0.0.1:4402', '127.0.0.1:4403')).toMatchObject({ port: 4402 })
  for (const store of ['mysql://ann:secret@db.example/pay', 'sqlite:pay.db', 'postgres:pay']) {
    const said = await read(`store: ${store}\n${networks}`, { KEY: key })
    expect(said).toMatch(/^\/pay\.yaml:1: store: no store of ours is (mysql|sqlite|postgres): expected a path/)
    expect(said).not.toContain('secret')
  }
})

test('what is wrong is said with file, line and reason', async () => {
  const networks = (inner: string) => `store: pay.db\nnetworks:\n  base:\n${inner}`
  expect([
    await read('store: [\n'),
    await read('store: pay.db\nstore: pay.db\n'),
    await read('store: pay.db\ncolour: red\nnetworks: {}\n'),
    await read('store: pay.db\n\nnetworks: {}\n'),
    await read('stor: pay.db\nnetworks: {}\n'),
    await read(networks('    rpc: []\n    signers: ["KEY"]\n'), { KEY: key }),
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
    await read(networks(`    rpc: ["http://x"]\n    signers: ["KEY"]\n    assets: ["0x${'12'.repeat(20)}"]\n`), {
      KEY: key,
    }),
    await read('store: pay.db\nnetworks:\n  solana: { rpc: ["http://x"], fee_payer: "KEY" }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  solana: { rpc: ["http://x"], fee_payer: ["SOL", "KEY"] }\n', {
      SOL: '1'.repeat(88),
      KEY: key,
    }),
    await read('store: pay.db\nnetworks:\n  solana: { rpc: ["http://x"], fee_payer: ["SOL", "SOL"] }\n', {
      SOL: '1'.repeat(88),
    }),
    await read('store: pay.db\nnetworks:\n  solana: { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  "cosmos:hub": { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read('listen: 4440\nstore: pay.db\nnetworks: {}\n'),
    await read('store: pay.db\nadmin: { listen: 4403 }\nnetworks: {}\n'),
    await read(`${networks(`    rpc: ["http://x"]\n    signers: ["KEY", "SAME"]\n`)}`, {
      KEY: key,
      SAME: key.toUpperCase().replace('X', 'x'),
    }),
    await read('store: pay.db\nnetworks:\n  base-sepola: { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  zebra: { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  bass: { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read('store: pay.db\nnetworks:\n  "eip155:84533": { rpc: ["http://x"], signers: ["KEY"] }\n', { KEY: key }),
    await read(
      'store: pay.db\nnetworks:\n  "eip155:999999": { rpc: ["http://x"], signers: ["KEY"], assets: [USDC] }\n',
      { KEY: key },
    ),
  ]).toMatchInlineSnapshot(`
    [
      "/pay.yaml:2: Flow sequence in block collection must be sufficiently indented and end with a ]",
      "/pay.yaml:2: Map keys must be unique",
      "/pay.yaml:2: colour: unknown field",
      "/pay.yaml:3: networks: no network is given",
      "/pay.yaml:1: store: is missing
    /pay.yaml:1: stor: unknown field; did you mean \`store\`?",
      "/pay.yaml:4: networks.base.rpc: names no node",
      "/pay.yaml:4: networks.base.rpc: expected a list: [one, another]",
      "/pay.yaml:4: networks.base.rpc.0: the environment has no NO_RPC
    /pay.yaml:5: networks.base.signers.0: the environment has no NO_KEY",
      "/pay.yaml:1: listen: expected HOST:PORT, such as 127.0.0.1:4402",
      "/pay.yaml:4: networks.base.rpc.0: expected an http or https URL",
      "/pay.yaml:6: networks.base.signers.0: the environment has no NO_KEY",
      "/pay.yaml:5: networks.base.signers.0: expected a private key: 0x and 64 hex digits",
      "/pay.yaml:5: networks.base.signers.0: a key stands in a file that others can read; name a variable, or chmod 600",
      "/pay.yaml:5: networks.base.fee_payer: this chain has signers instead",
      "/pay.yaml:4: networks.base.signers: is missing: expected a private key: 0x and 64 hex digits",
      "/pay.yaml:6: networks.base.assets.0: DOGE is no default asset of this network, which has USDC",
      "/pay.yaml:6: networks.base.assets.0: 0x1212121212121212121212121212121212121212 is no known token of this network, which has USDC",
      "/pay.yaml:3: networks.solana.fee_payer: expected a secret key: base58 of 64 bytes",
      "/pay.yaml:3: networks.solana.fee_payer.1: expected a secret key: base58 of 64 bytes",
      "/pay.yaml:3: networks.solana.fee_payer.1: is the key of fee_payer.0 again",
      "/pay.yaml:3: networks.solana.signers: this chain has fee_payer instead",
      "/pay.yaml:3: networks.cosmos:hub: nothing settles on cosmos chains",
      "/pay.yaml:1: listen: expected HOST:PORT, such as 127.0.0.1:4402",
      "/pay.yaml:2: admin.listen: expected HOST:PORT, such as 127.0.0.1:4402",
      "/pay.yaml:5: networks.base.signers.1: is the key of signers.0 again",
      "/pay.yaml:3: networks.base-sepola: not a CAIP-2 id and not a known name; did you mean \`base-sepolia\`?",
      "/pay.yaml:3: networks.zebra: not a CAIP-2 id and not a known name such as base or base-sepolia",
      "/pay.yaml:3: networks.bass: not a CAIP-2 id and not a known name; did you mean \`base\`?",
      "/pay.yaml:3: networks.eip155:84533: no asset of this network is known, so nothing would be settled; did you mean \`eip155:8453\` (base), \`eip155:84532\` (base-sepolia)?",
      "/pay.yaml:3: networks.eip155:999999: no asset of this network is known, so nothing would be settled",
    ]
  `)
  expect(await read(networks(`    rpc: ["http://x"]\n    signers: ["${key}"]\n`), {}, 0o600)).toMatchObject({
    networks: [{ signers: [key] }],
  })
})

test('D4 D37 EVM-EXACT-157 contracts that would call anything, or that money depends on, are no factories and no managers', async () => {
  const head = 'store: pay.db\nnetworks:\n  base:\n    rpc: ["http://x"]\n    signers: ["KEY"]\n'
  const forbidden = {
    multicall3: '0xcA11bde05977b3631167028862bE2a173976CA11',
    create2: '0x4e59b44847b379578588920cA78FbF26c0B4956C',
    permit2: '0x000000000022D473030F116dDEE9F6B43aC78BA3',
    usdc: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
    escrow: '0xf96815976523E00e65Be8f34cA5e64b4f41EB19c',
  }
  const said: Record<string, unknown> = {}
  for (const [name, address] of Object.entries(forbidden)) {
    const factory = await read(`${head}    wallet_factories:\n      - "${address}"\n`, { KEY: key })
    const manager = await read(`${head}    delegations:\n      managers: ["${address}"]\n`, { KEY: key })
    expect([factory, manager]).toEqual([
      expect.stringContaining(`/pay.yaml:7: networks.base.wallet_factories.0: ${address} `),
      expect.stringContaining(`/pay.yaml:7: networks.base.delegations.managers.0: ${address} `),
    ])
    said[name] = String(manager).split(`${address} `)[1]
  }
  expect(said).toEqual({
    multicall3: 'calls whatever it is told',
    create2: 'deploys whatever it is told',
    permit2: 'moves the money of everybody who approved it',
    usdc: 'is a token that is settled',
    escrow: 'holds money of payers',
  })
})

test('which schemes are settled, whose wallets are created and whose approvals are paid for', async () => {
  const one = (inner: string) =>
    `store: pay.db\nnetworks:\n  base:\n    rpc: ["http://x"]\n    signers: ["KEY"]\n${inner}`
  const sponsor = `0x${'cd'.repeat(32)}`
  const factory = `0x${'12'.repeat(20)}`
  const environment = { KEY: key, SPONSOR: sponsor }
  const seller = `0x${'34'.repeat(20)}`
  const all = `    schemes: [exact, upto, batch-settlement, auth-capture]
    delegations: { managers: ["${factory}"], gas: 400000 }
    auth_capture: { fee: { bps: 50, recipient: "${seller}" }, refunds_for: ["${seller}"] }
    wallet_factories: ["${factory}"]
    self_batch: true
    send_and_wait: true
    sponsor: { account: "SPONSOR", max_funding: 0.0005, per_payer_and_day: 1 }
`
  expect([await read(one(''), environment), await read(one(all), environment)]).toMatchObject([
    { networks: [{ schemes: ['exact'] }] },
    {
      networks: [
        {
          schemes: ['exact', 'upto', 'batch-settlement', 'auth-capture'],
          delegations: { managers: [factory], gas: 400_000n },
          authCapture: { fee: { bps: 50, recipient: seller }, refundsFor: [seller] },
          walletFactories: [factory],
          selfBatch: '0xfe36c0d95fa168caa65aa7b17937a25c7efb036b',
          sendAndWait: true,
          sponsor: { account: sponsor, maxFunding: 5n * 10n ** 14n, perPayerAndDay: 1 },
        },
      ],
    },
  ])
  const solana = 'store: pay.db\nnetworks:\n  solana: { rpc: ["http://x"], fee_payer: "SOL", schemes: [exact, upto] }\n'
  expect([
    await read(one('    schemes: [exact, gift]\n'), environment),
    await read(one('    schemes: [exact, exact]\n'), environment),
    await read(one('    wallet_factories: ["0x12"]\n'), environment),
    await read(one('    schemes: [auth-capture]\n    sponsor: { account: "SPONSOR" }\n'), environment),
    await read(one('    sponsor: { account: "KEY" }\n'), environment),
    await read(one(`    sponsor: { account: "${sponsor}" }\n`), environment),
    await read(one('    sponsor: { account: "SPONSOR", max_funding: plenty }\n'), environment),
    await read(solana, { SOL: '1'.repeat(88) }),
    await read(one('    delegations: { managers: [] }\n'), environment),
    await read(one('    schemes: [upto]\n    delegations: { managers: ["0x12"] }\n'), environment),
    await read(one('    auth_capture: { fee: { bps: 1 } }\n'), environment),
    await read(one(`    auth_capture: { refunds_for: ["${seller}"] }\n`), environment),
    await read(one('    self_batch: maybe\n'), environment),
    await read(solana.replace('schemes: [exact, upto]', 'self_batch: true'), { SOL: '1'.repeat(88) }),
    await read(solana.replace('schemes: [exact, upto]', 'send_and_wait: true'), { SOL: '1'.repeat(88) }),
  ]).toMatchInlineSnapshot(`
    [
      "/pay.yaml:6: networks.base.schemes.1: expected exact, upto, batch-settlement or auth-capture",
      "/pay.yaml:6: networks.base.schemes: exact stands there twice",
      "/pay.yaml:6: networks.base.wallet_factories.0: expected an address: 0x and 40 hex digits",
      "/pay.yaml:6: networks.base.schemes: sponsor is for exact, upto and batch-settlement, none of which is among them",
      "/pay.yaml:6: networks.base.sponsor.account: takes an account of its own, which signs nothing else",
      "/pay.yaml:6: networks.base.sponsor.account: a key stands in a file that others can read; name a variable, or chmod 600",
      "/pay.yaml:6: networks.base.sponsor.max_funding: expected an amount of the chain's own coin, such as 0.0005",
      "/pay.yaml:3: networks.solana.schemes: is not there for this chain",
      "/pay.yaml:6: networks.base.delegations.managers: names no manager; leave it out to take none",
      "/pay.yaml:7: networks.base.delegations.managers.0: expected an address: 0x and 40 hex digits",
      "/pay.yaml:6: networks.base.auth_capture.fee.recipient: is missing",
      "/pay.yaml:4: networks.base.schemes: auth_capture is for auth-capture, which is not among them",
      "/pay.yaml:6: networks.base.self_batch: expected an address: 0x and 40 hex digits",
      "/pay.yaml:3: networks.solana.self_batch: is not there for this chain",
      "/pay.yaml:3: networks.solana.send_and_wait: is not there for this chain",
    ]
  `)
})

const served =
  'store: pay.db\nnetworks:\n  base: { rpc: ["http://a", "http://b"], signers: ["KEY"], agree_from: 100 }\n'
const hash = `sha256:${'ab'.repeat(32)}`

test('who may use it, how much, and how it is watched', async () => {
  const text = `${served}
admin: { listen: 0.0.0.0:4411, token_hash: ${hash} }
tenants:
  shop:
    keys: ["${hash}"]
    pay_to: ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
    origins: [https://shop.example, "http://localhost:8402"]
    assets: [USDC]
    networks: [base]
    limits: { verify: 50/s, settle: 120/min, open: 7 }
limits: { per_ip: 20/s, per_payer: { rate: 5/s, open: 20 }, settling: 100 }
screening: { list: sanctioned.txt, requires: [country] }
builder_codes: { wallet: fac_one }
trusted_proxies: 1
log: { level: warn }
`
  expect(await read(text, { KEY: key })).toMatchObject({
    networks: [{ agreeFrom: '100' }],
    operation: {
      admin: { host: '0.0.0.0', port: 4411, tokenHash: hash },
      tenants: [
        {
          id: 'shop',
          keyHashes: [hash],
          scopes: ['verify', 'settle', 'read'],
          recipients: ['0x70997970C51812dc3A010C7d01b50e0d17dc79C8'],
          origins: ['https://shop.example', 'http://localhost:8402'],
          assets: ['0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913'],
          networks: ['eip155:8453'],
          rates: { verify: { perSecond: 50, burst: 100 }, settle: { perSecond: 2, burst: 120 } },
          maxSettling: 7,
        },
      ],
      limits: { perIp: { perSecond: 20 }, perPayer: { perSecond: 5, maxOpen: 20 }, maxSettling: 100 },
      screening: { file: join(folder, 'sanctioned.txt'), maxAgeHours: 48, requires: ['country'] },
      builderCodes: { wallet: 'fac_one' },
      trustedProxies: 1,
      logLevel: 'warn',
    },
  })
})

test('and what is wrong with that', async () => {
  const of = (more: string) => read(`${served}${more}`, { KEY: key })
  const tenant = (more: string) => of(`tenants:\n  shop: { keys: ["${hash}"], ${more} }\n`)
  expect([
    await of('admin: { listen: 0.0.0.0:1 }\n'),
    await of('admin: { listen: nowhere }\n'),
    await of('tenants:\n  Shop: { keys: ["x"] }\n'),
    await of(`tenants:\n  SHOP: { keys: ["${hash}"] }\n`),
    await tenant('networks: [solana]'),
    await tenant('assets: [DOGE]'),
    await tenant('pay_to: ["0x123"]'),
    await tenant('scopes: [admin]'),
    await tenant('limits: { settle: fast }'),
    await tenant('origins: [https://shop.example/]'),
    await of('limits: { per_ip: 20 }\n'),
    await of('builder_codes: { wallet: Fac-One }\n'),
    await of('builder_codes: { app: shop }\n'),
    await of('notify: []\n'),
    await read(served.replace('"http://a", ', ''), { KEY: key }),
    await read(served.replace('100', 'much'), { KEY: key }),
  ]).toMatchInlineSnapshot(`
    [
      "/pay.yaml:4: admin: a listener that others reach needs a token_hash; \`groat facilitator key\` makes one",
      "/pay.yaml:4: admin.listen: expected HOST:PORT, such as 127.0.0.1:4402",
      "/pay.yaml:5: tenants.Shop.keys.0: expected sha256: and 64 hex digits; \`groat facilitator key\` makes one",
      "/pay.yaml:5: tenants.SHOP: expected a name of small letters, digits, . _ and -",
      "/pay.yaml:5: tenants.shop.networks.0: solana is not among the networks of this file",
      "/pay.yaml:5: tenants.shop.assets.0: DOGE is no asset of the networks of this file",
      "/pay.yaml:5: tenants.shop.pay_to.0: 0x123 is no address",
      "/pay.yaml:5: tenants.shop.scopes.0: expected verify, settle, read or metrics",
      "/pay.yaml:5: tenants.shop.limits.settle: expected a rate such as 20/s or 5/min",
      "/pay.yaml:5: tenants.shop.origins.0: expected an origin such as https://shop.example, and no path",
      "/pay.yaml:4: limits.per_ip: expected a rate such as 20/s or 5/min",
      "/pay.yaml:4: builder_codes.wallet: expected 1 to 32 of a-z, 0-9 and _",
      "/pay.yaml:4: builder_codes.app: unknown field",
      "/pay.yaml:4: notify: unknown field",
      "/pay.yaml:3: networks.base.agree_from: takes two nodes in rpc",
      "/pay.yaml:3: networks.base.agree_from: expected a number of tokens, such as 100",
    ]
  `)
})

const networksOf = (inner = '') => `store: pay.db\nnetworks:\n  base: { rpc: ["http://x"], signers: ["KEY"]${inner} }\n`

test('whoever is told of payments is named, with secrets that nobody else reads', async () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const keys = `["sha256:${'0'.repeat(64)}"]`
  const of = (shop: string, rest = '') =>
    read(`${networksOf()}tenants:\n  shop: { keys: ${keys}, webhook: ${shop} }\n${rest}`, { KEY: key, WHSEC: secret })
  const operator = 'webhooks: { operator: { url: "https://ops.example", secrets: ["WHSEC"] }, allow_private: true }'
  const whole = await of('{ url: "https://shop.example/h", secrets: ["WHSEC"], events: [settled, final] }', operator)
  expect(whole).toMatchObject({
    operation: {
      webhooks: {
        allowPrivate: true,
        endpoints: [
          { id: 'operator', url: 'https://ops.example', secrets: [secret] },
          { id: 'tenant.shop', tenant: 'shop', url: 'https://shop.example/h', topics: ['settled', 'final'] },
        ],
      },
    },
  })
  expect([
    await of(`{ url: "https://shop.example", secrets: [${secret}] }`),
    await of('{ url: "https://shop.example", secrets: ["KEY"] }'),
    await of('{ url: "ftp://shop.example", secrets: ["WHSEC"] }'),
    await of('{ url: "http://127.0.0.1:9000", secrets: ["WHSEC"] }'),
    await of('{ url: "https://me:secret@shop.example", secrets: ["WHSEC"] }', 'webhooks: { allow_private: true }'),
    await of('{ url: "https://shop.example", secrets: ["WHSEC"], events: [eaten] }'),
  ]).toEqual([
    expect.stringMatching(/pay.yaml:5: tenants.shop.webhook.secrets.0: a secret stands in a file/),
    expect.stringMatching(/expected whsec_ and base64; `groat facilitator secret` makes one/),
    expect.stringMatching(/tenants.shop.webhook.url: expected an https URL/),
    expect.stringMatching(/pay.yaml:5: tenants.shop.webhook.url: .*`webhooks: { allow_private: true }` takes http/),
    expect.stringMatching(/tenants.shop.webhook.url: expected an https or http URL without credentials/),
    expect.stringMatching(/expected settled, refused, final or reorged/),
  ])
})

test('fees have limits in dollars and shares, which are counted in the coin of the chain', async () => {
  const config = await read(
    `${networksOf(', coin_price: $4000, fee_per_transaction: 0.002, node_lag: 12, finality: { 0: 1, 100: 5, 1000: safe }')}
engine: { lease: 20, depth: 8, rebroadcast: 3 }
limits: { fee_per_payment: { share: 5%, at_least: $0.002 }, fee_per_hour: $20 }
`,
    { KEY: key },
  )
  if (typeof config === 'string') throw new Error(config)
  const { engine, networks } = config
  const base = networks[0]?.network ?? raise()
  const usdc = '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913'
  const fee = (amount: bigint) => engine.limits?.feePerPayment?.({ network: base, asset: usdc, amount })
  const depth = (amount: bigint) => engine.finality?.({ network: base, asset: usdc, amount })
  expect(engine.nodeLag?.(base)).toBe(12_000)
  expect([engine.lease, engine.depth, engine.rebroadcast, networks[0]?.maxTransactionFee]).toEqual([
    20_000,
    8,
    3000,
    2n * 10n ** 15n,
  ])
  // 5 % of $10 are $0.50, at $4000 a coin; a tenth of a cent is bounded by the floor of $0.002.
  expect([fee(10_000_000n), fee(1000n)]).toEqual([125n * 10n ** 12n, 5n * 10n ** 11n])
  expect(engine.limits?.feePerHour?.(base)).toBe(5n * 10n ** 15n)
  // Rounded so that it never seems to be enough.
  expect(config.hintForHour({ network: base, cost: 10n ** 15n + 1n, left: 10n ** 15n - 1n })).toBe(
    'limits.fee_per_hour has $3.999999 left, and what is to be sent costs $4.000001: wait for lower fees, or raise it.',
  )
  expect([depth(1n), depth(99_999_999n), depth(100_000_000n), depth(5_000_000_000n)]).toEqual([1, 1, 5, 'safe'])
})

test('a number is the decimals that stand there, however small it is', async () => {
  const text = `store: pay.db
networks:
  base: { rpc: ["http://a", "http://b"], signers: ["KEY"], agree_from: 0.000001, fee_per_transaction: 0.0000005, sponsor: { account: "SPONSOR", max_funding: 0.0000005 } }
`
  expect(await read(text, { KEY: key, SPONSOR: `0x${'cd'.repeat(32)}` })).toMatchObject({
    networks: [
      { agreeFrom: '0.000001', maxTransactionFee: 500_000_000_000n, sponsor: { maxFunding: 500_000_000_000n } },
    ],
  })
  expect(await read(text.replace('0.000001', '0.0000005'), { KEY: key, SPONSOR: `0x${'cd'.repeat(32)}` })).toBe(
    '/pay.yaml:3: networks.base.agree_from: has more decimals than USDC, which has 6',
  )
})

test('limits that cannot be meant are refused', async () => {
  const of = (inner: string, rest: string) =>
    read(`${networksOf(inner)}${rest}`, { KEY: key, SPONSOR: `0x${'cd'.repeat(32)}` })
  expect([
    await of('', 'limits: { fee_per_payment: 5% }\n'),
    await of(', coin_price: $0', ''),
    await of(', coin_price: 4000', ''),
    await of(', finality: { some: 1 }', ''),
    await of(', finality: 0', ''),
    await of('', 'engine: { lease: 0 }\n'),
    await of('', 'engine: { lease: 15s }\n'),
    await of('', 'limits: { fee_per_hour: 20 }\n'),
    await of(', fee_per_transaction: 0', ''),
    await of(', fee_per_transaction: 1e-19', ''),
    await of(', sponsor: { account: "SPONSOR", max_funding: 1e-19 }', ''),
    await of(', coin_price: $1', 'limits: { fee_per_payment: lots }\n'),
  ]).toEqual([
    expect.stringMatching(/networks.base: limits on fees in dollars take a coin_price/),
    expect.stringMatching(/coin_price: expected more than nothing/),
    expect.stringMatching(/coin_price: expected dollars such as \$20/),
    expect.stringMatching(/finality.some: expected a number of tokens/),
    expect.stringMatching(/finality: expected a number of blocks, safe, or final/),
    expect.stringMatching(/engine.lease: expected seconds/),
    '/pay.yaml:4: engine.lease: expected seconds, from 1 to 3600, such as 15',
    '/pay.yaml:4: limits.fee_per_hour: expected dollars such as $20',
    expect.stringMatching(
      /^\/pay.yaml:3: networks.base.fee_per_transaction: expected an amount of the chain's own coin/,
    ),
    expect.stringMatching(
      /^\/pay.yaml:3: networks.base.fee_per_transaction: expected an amount of the chain's own coin/,
    ),
    expect.stringMatching(/^\/pay.yaml:3: networks.base.sponsor.max_funding: expected an amount/),
    expect.stringMatching(/fee_per_payment: expected a share/),
  ])
})

test('on Solana a payment says its fee, and the limits bound it', async () => {
  const secretKey = '4wBqpZM9xaSheZzJSMawUKKwhdpChKbZ5eu5ky4Vigw1qSMzDhPXMFTDSXrdEK1BAWLmdVj6aUWHrWzcCwsaUGQz'
  const text = `store: pay.db
networks:
  solana: { rpc: ["http://x"], fee_payer: "KEY", coin_price: $200 }
limits: { fee_per_payment: { share: 5%, at_least: $0.01 }, fee_per_hour: $20 }
`
  const config = await read(text, { KEY: secretKey })
  expect(config).toMatchObject({ networks: [{ fees: { lamports: 50_000n, lamportsPerUnit: 250_000n } }] })
  if (typeof config === 'string') throw new Error(config)
  expect(config.engine.limits?.feePerHour?.(config.networks[0]?.network ?? raise())).toBe(100_000_000n)
  expect(
    await read(text.replace(', coin_price: $200', '').replace(/fee_per_payment.*?}, /, ''), { KEY: secretKey }),
  ).toMatch(/networks.solana: limits on fees in dollars take a coin_price/)
  expect(
    await read(text.replace('coin_price: $200', 'coin_price: $200, fee_per_transaction: 1'), { KEY: secretKey }),
  ).toMatch(/a payment on this chain says its own fee/)
  expect(await read(text.replace('coin_price: $200', 'coin_price: $200, node_lag: 9'), { KEY: secretKey })).toMatch(
    /node_lag: nothing waits for that on this chain/,
  )
})

test('the schema of the file says what it takes', () => {
  const schema = JSON.stringify(facilitatorSchema())
  for (const field of [
    'webhook',
    'fee_per_payment',
    'coin_price',
    'finality',
    'lease',
    'wallet_factories',
    'sponsor',
    'builder_codes',
  ])
    expect(schema).toContain(`"${field}"`)
})

function raise(): never {
  throw new Error('there is none')
}

test('the example names every field that there is', async () => {
  const example = await readFile(new URL('../../../../examples/facilitator.yaml', import.meta.url), 'utf8')
  expect(fieldsOf(facilitatorSchema()).filter((field) => !new RegExp(`\\b${field}:`).test(example))).toEqual([])
})

/** The names of all fields of a schema, at whatever depth. */
function fieldsOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties = {} } = schema as { properties?: object }
  return [...Object.keys(properties), ...Object.values(schema).flatMap(fieldsOf)]
}
