import { extensionInfo, type Json, type JsonObject, network, type Pid, type SchemeServer } from '@groat/core'
import { copyingFetch } from '@groat/core/testing'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { contractWallets } from '@groat/evm/wallets'
import { signedInFetch, signInWithAccounts } from '@groat/extensions/sign-in-with-x/client'
import {
  formatSignIn,
  memorySignIns,
  readProof,
  type SignInProof,
  type SignIns,
  signedBy,
  signedInOnly,
  signIns,
} from '@groat/extensions/sign-in-with-x/server'
import { sqlSignIns } from '@groat/extensions/sign-in-with-x/sql'
import { deployErc1271Wallet, deployWalletFactory, type EvmChain, startEvmChain } from '@groat/sandbox'
import { createMemoryClaims, type PaywallOptions, paywall, type RouteOptions } from '@groat/server'
import { createLedger } from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { openMemoryStore } from '@groat/store'
import { secretKeyAccount } from '@groat/svm/exact/client'
import fc from 'fast-check'
import { hashMessage } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { payTo, testScheme } from '../../server/test/test-scheme.js'
import { challengeOf, codeOf, ORIGIN, openShop, type TestShop } from './shop.js'

const KEY = 'sign-in-with-x'
const HEADER = 'SIGN-IN-WITH-X'
const evm = privateKeyAccount(`0x${'11'.repeat(32)}`)
const other = privateKeyAccount(`0x${'22'.repeat(32)}`)
const ED_SEED = Uint8Array.from({ length: 32 }, (_, i) => i)
const ED_PUBLIC = Uint8Array.from(
  Buffer.from('03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8', 'hex'),
)
const svm = secretKeyAccount(Uint8Array.from([...ED_SEED, ...ED_PUBLIC]))
const pass: RouteOptions = { price: '$0.50', pass: '1h', extensions: { [KEY]: true } }

const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

async function openPass(
  route: RouteOptions = pass,
  more: Partial<PaywallOptions> = {},
  options: Partial<Parameters<typeof signIns>[0]> = {},
): Promise<TestShop & { readonly store: SignIns }> {
  let store: SignIns = memorySignIns()
  const shop = await openShop(route, (clock) => {
    store = options.store ?? memorySignIns({ clock })
    return { extensions: [signIns({ ...options, store })], ...more }
  })
  open.push(shop)
  return { ...shop, store }
}

type Account = Parameters<typeof signInWithAccounts>[0]

/** Headers of whoever signs the challenge that a shop makes now. */
async function headersOf(shop: TestShop, accounts: Account = { evm }, path = '/a'): Promise<Record<string, string>> {
  const challenge = await shop.challenge(path)
  const announced = challenge.extensions?.[KEY] as JsonObject
  const headers = await signInWithAccounts(accounts).present?.(announced, {
    challenge,
    url: new URL(ORIGIN + path),
    clock: shop.now,
  })
  if (headers === undefined) throw new Error('nothing to sign')
  return { ...headers }
}

const buy = async (shop: TestShop, from: string = evm.address) => shop.present(await shop.sign({ payload: { from } }))
const proofOf = (headers: Record<string, string>): SignInProof =>
  JSON.parse(Buffer.from(headers[HEADER] ?? '', 'base64').toString())
const headerOf = (proof: unknown) => ({ [HEADER]: Buffer.from(JSON.stringify(proof)).toString('base64') })

describe('a seller that knows sign-ins', () => {
  test('EXT-SIGN-001 asks in its own name, for its own chains, with a nonce and an end', async () => {
    const shop = await openPass({ ...pass, extensions: { [KEY]: { statement: 'Use what you bought' } } })
    const [first, second] = [await shop.challenge(), await shop.challenge()]
    expect(first.extensions?.[KEY]).toMatchObject({
      info: {
        domain: 'shop.example',
        uri: `${ORIGIN}/a`,
        version: '1',
        statement: 'Use what you bought',
        resources: [`${ORIGIN}/a`],
      },
      supportedChains: [{ chainId: 'eip155:84532', type: 'eip191' }],
    })
    const nonces = [first, second].map(({ extensions }) => String(extensionInfo(extensions, KEY)?.nonce))
    expect(new Set(nonces).size).toBe(2)
    expect(nonces[0]).toMatch(/^[0-9a-f]{48}$/)
  })

  test('EXT-SIGN-002 D16 serves a payer by the pass that it bought, without its token', async () => {
    const shop = await openPass()
    expect((await buy(shop)).status).toBe(200)
    const answer = await shop.ask({ headers: await headersOf(shop) })
    expect([answer.status, await answer.text(), shop.stub.ledger.size]).toEqual([200, 'goods', 1])
    // It is the payer's, and no cache may keep it.
    expect(answer.headers.get('cache-control')).toContain('private')
    expect(answer.headers.get('vary')?.toLowerCase()).toContain('sign-in-with-x')
    expect(answer.headers.get('payment-entitlement')).toMatch(/expires=/)
  })

  test('EXT-SIGN-002 counts the uses of a bundle', async () => {
    const shop = await openPass({ price: '$0.01', bundle: 2, extensions: { [KEY]: true } })
    await buy(shop)
    expect((await shop.ask({ headers: await headersOf(shop) })).status).toBe(200)
    const over = await shop.ask({ headers: await headersOf(shop) })
    expect([over.status, await codeOf(over)]).toEqual([402, 'sign_in_unknown'])
  })

  test('EXT-SIGN-003 D1 opens what the server sold, whatever the payment says of its resource', async () => {
    // Two routes of one shop; the payment for the cheap one names the other.
    const routes = [
      { ...pass, scope: 'cheap' },
      { ...pass, price: '$900', scope: 'gold' },
    ]
    const store = memorySignIns()
    const cheap = await openPass(routes[0], {}, { store })
    const gold = await openPass(routes[1], {}, { store })
    const payment = { ...(await cheap.sign({ payload: { from: evm.address } })), resource: { url: `${ORIGIN}/gold` } }
    expect((await cheap.present(payment)).status).toBe(402)
    expect((await buy(cheap)).status).toBe(200)
    const answer = await gold.ask({ headers: await headersOf(gold) })
    expect([answer.status, await codeOf(answer)]).toEqual([402, 'sign_in_unknown'])
  })

  test('EXT-SIGN-004 D2 takes no proof for a route of another scope', async () => {
    const store = memorySignIns()
    const one = await openPass({ ...pass, scope: 'one' }, {}, { store })
    const two = await openPass({ ...pass, scope: 'two' }, {}, { store })
    await buy(two)
    const answer = await two.ask({ headers: await headersOf(one) })
    expect([answer.status, await codeOf(answer)]).toEqual([402, 'sign_in_foreign'])
  })

  test('EXT-SIGN-005 D3 takes a proof once', async () => {
    const shop = await openPass()
    await buy(shop)
    const headers = await headersOf(shop)
    const answers = await Promise.all(Array.from({ length: 6 }, () => shop.ask({ headers })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    const refused = answers.filter(({ status }) => status === 402)
    expect(await Promise.all(refused.map(codeOf))).toEqual(Array(5).fill('sign_in_replayed'))
  })

  test('EXT-SIGN-006 takes no nonce that it did not make, and none for other terms', async () => {
    const shop = await openPass()
    await buy(shop)
    const proof = proofOf(await headersOf(shop))
    const sign = async (change: Partial<SignInProof>): Promise<SignInProof> => {
      const changed = { ...proof, ...change }
      const digest = hashMessage(formatSignIn(changed))
      return {
        ...changed,
        signature: Buffer.from(await evm.signDigest(Buffer.from(digest.slice(2), 'hex')))
          .toString('hex')
          .replace(/^/, '0x'),
      }
    }
    const later = new Date(shop.now() + 60_000).toISOString()
    const forged = [
      { nonce: 'a'.repeat(48) },
      { nonce: 'selfmadenonce01' },
      { issuedAt: later },
      { expirationTime: new Date(shop.now() + 9e9).toISOString() },
      { uri: `${ORIGIN}/gold` },
    ]
    for (const change of forged) {
      const answer = await shop.ask({ headers: headerOf(await sign(change)) })
      expect([answer.status, await codeOf(answer)]).toEqual([402, 'sign_in_foreign'])
    }
  })

  test('EXT-SIGN-007 takes no proof for another domain or origin', async () => {
    const shop = await openPass()
    await buy(shop)
    const proof = proofOf(await headersOf(shop))
    for (const change of [{ domain: 'evil.example' }, { uri: 'https://evil.example/a' }, { uri: 'not a url' }]) {
      const answer = await shop.ask({ headers: headerOf({ ...proof, ...change }) })
      expect(await codeOf(answer)).toBe('sign_in_foreign')
    }
  })

  test('EXT-SIGN-008 takes a proof while it is fresh, with half a minute for clocks', async () => {
    const shop = await openPass()
    await buy(shop)
    const fresh = await headersOf(shop)
    shop.later(-29_000)
    expect((await shop.ask({ headers: fresh })).status).toBe(200)
    shop.later(29_000)
    const old = await headersOf(shop)
    shop.later(331_000)
    expect(await codeOf(await shop.ask({ headers: old }))).toBe('sign_in_expired')
    const early = await headersOf(shop)
    shop.later(-60_000)
    expect(await codeOf(await shop.ask({ headers: early }))).toBe('sign_in_expired')
  })

  test('EXT-SIGN-009 D15 takes proofs for the chains that it asks for, and for no other', async () => {
    const shop = await openPass()
    await buy(shop)
    const proof = proofOf(await headersOf(shop))
    for (const change of [
      { chainId: 'eip155:1' },
      { type: 'ed25519' },
      { chainId: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' },
    ]) {
      const answer = await shop.ask({ headers: headerOf({ ...proof, ...change }) })
      expect(await codeOf(answer)).toBe('sign_in_foreign')
    }
  })

  test('EXT-SIGN-010 takes no signature of somebody else', async () => {
    const shop = await openPass()
    await buy(shop)
    const proof = proofOf(await headersOf(shop, { evm: other }))
    for (const change of [
      { address: evm.address },
      { signature: `0x${'00'.repeat(65)}` },
      { signature: '0x12' },
      { statement: 'more' },
    ]) {
      const answer = await shop.ask({ headers: headerOf({ ...proof, ...change }) })
      expect([answer.status, await codeOf(answer)]).toEqual([402, 'sign_in_invalid'])
    }
    // Whoever has bought nothing is told so.
    expect(await codeOf(await shop.ask({ headers: await headersOf(shop, { evm: other }) }))).toBe('sign_in_unknown')
  })

  test('EXT-SIGN-011 says why with the offers and a new challenge, so that it can be paid all the same', async () => {
    const shop = await openPass()
    const refused = await shop.ask({ headers: { [HEADER]: 'e30=' } })
    const challenge = await challengeOf(refused)
    expect([refused.status, challenge.error, challenge.accepts.length]).toEqual([402, 'sign_in_invalid', 1])
    expect(challenge.extensions?.[KEY]).toMatchObject({ info: { domain: 'shop.example' } })
  })

  const hostile: readonly (readonly [string, string])[] = [
    ['no base64', '!!!'],
    ['no JSON', Buffer.from('no').toString('base64')],
    ['a list', Buffer.from('[]').toString('base64')],
    ['deep JSON', Buffer.from(`${'{"a":'.repeat(300)}1${'}'.repeat(300)}`).toString('base64')],
    ['a flood', 'A'.repeat(15_000)],
    ['a doubled member', Buffer.from('{"domain":"a","domain":"b"}').toString('base64')],
  ]
  test.each(hostile)('EXT-SIGN-012 SEC-003 refuses %s', async (_, header) => {
    const shop = await openPass()
    const answer = await shop.ask({ headers: { [HEADER]: header } })
    expect([answer.status, await codeOf(answer)]).toEqual([402, 'sign_in_invalid'])
  })

  test('EXT-SIGN-013 no member can pass for another', async () => {
    const shop = await openPass()
    const proof = proofOf(await headersOf(shop))
    for (const name of ['domain', 'uri', 'statement', 'requestId', 'nonce', 'issuedAt'] as const) {
      for (const end of ['\n', '\r', '\u0085', '\u2028', '\u0000']) {
        expect(
          readProof(headerOf({ ...proof, [name]: `x${end}URI: https://evil.example` })[HEADER] ?? ''),
        ).toBeUndefined()
      }
    }
    expect(readProof(headerOf({ ...proof, resources: ['a\nb'] })[HEADER] ?? '')).toBeUndefined()
  })

  test('EXT-SIGN-014 serves nobody while it cannot look anything up', async () => {
    const shop = await openPass()
    await buy(shop)
    const headers = await headersOf(shop)
    const broken: SignIns = { ...shop.store, consume: () => Promise.reject(new Error('down')) }
    const down = await openPass(pass, {}, { store: broken })
    const answer = await down.ask({ headers })
    expect([answer.status, await codeOf(answer), down.works()]).toEqual([503, 'extension_unavailable', 0])
  })

  test.each<readonly [string, Partial<RouteOptions>, Partial<PaywallOptions>]>([
    ['sells no bundle and no pass', { pass: undefined as never }, {}],
    ['has no origin', {}, { origin: undefined as never }],
    ['has a statement of two lines', { extensions: { [KEY]: { statement: 'a\nb' } } }, {}],
    ['has a word that is none', { extensions: { [KEY]: { satement: 'a' } } }, {}],
  ])('EXT-SIGN-015 does not start where a route %s', (_, change, options) => {
    const { pass: time, ...route } = { ...pass, ...change }
    const base = {
      facilitator: 'https://pay.example',
      payTo: { base: payTo },
      schemes: [testScheme],
      store: createMemoryClaims({ singleProcess: true }),
      extensions: [signIns({ store: memorySignIns() })],
    }
    const { origin, ...rest } = { origin: ORIGIN, ...options }
    const paid = paywall({ ...base, ...rest, ...(origin && { origin }) })
    expect(() => paid({ ...route, ...(time && { pass: time }) }, () => new Response())).toThrow(
      expect.objectContaining({ code: 'invalid_config' }),
    )
  })

  test('EXT-SIGN-016 D4 takes back what a refund has paid back, from tokens and sign-ins alike', async () => {
    const db = await openMemoryStore()
    const ledger = await createLedger(db)
    const refunds = await createRefunds({
      ledger,
      facilitator: { supported: async () => ({ kinds: [], extensions: [], signers: {} }) } as never,
      pays: [],
      sells: [testScheme],
      approveAbove: '$0.0005',
    })
    let fails = true
    const shop = await openShop(
      { ...pass, mode: 'upfront', refund: 'on-failure' },
      { store: await sqlClaims(db, { ledger, refunds }), extensions: [signIns({ store: await sqlSignIns(db) })] },
      () => new Response('x', { status: fails ? 500 : 200 }),
    )
    open.push(shop)
    const bought = await buy(shop)
    const token = bought.headers.get('payment-entitlement') ?? ''
    expect(bought.status).toBe(500)
    fails = false
    await expect.poll(async () => (await refunds.list()).length).toBe(1)
    expect(await codeOf(await shop.ask({ headers: await headersOf(shop) }))).toBe('sign_in_unknown')
    if (token) expect((await shop.ask({ headers: { 'payment-entitlement': token } })).status).toBe(402)
    await db.close()
  })

  test('EXT-SIGN-017 remembers in a database what several processes have to know', async () => {
    const db = await openMemoryStore()
    const [first, second] = [await sqlSignIns(db), await sqlSignIns(db)]
    expect(first.key).toEqual(second.key)
    const until = Date.now() + 60_000
    expect(
      await Promise.all([first.consume('n', until), second.consume('n', until), first.consume('m', until)]),
    ).toEqual(expect.arrayContaining([true, false, true]))
    await first.record('eip155:0x1', 's', { pid: 'a' as Pid, network: 'eip155:1' })
    await first.record('eip155:0x1', 's', { pid: 'b' as Pid, network: 'eip155:1', expiresAt: Date.now() - 1 })
    expect(await second.paid('eip155:0x1', 's')).toEqual([{ pid: 'a', network: 'eip155:1' }])
    expect(await second.paid('eip155:0x1', 't')).toEqual([])
    await db.close()
  })
})

describe('on Solana', () => {
  const NET = network('solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1')
  const scheme: SchemeServer = {
    ...testScheme,
    scheme: { name: 'exact', family: 'solana' },
    offer: (terms) => ({ ...testScheme.offer({ ...terms, payTo }), payTo: terms.payTo }),
  }
  test('EXT-SIGN-002 an account signs in by its key, letter by letter', async () => {
    const shop = await openPass(pass, { schemes: [scheme], payTo: { [NET]: svm.address } })
    expect((await buy(shop, svm.address)).status).toBe(200)
    expect((await shop.ask({ headers: await headersOf(shop, { svm }) })).status).toBe(200)
    const proof = proofOf(await headersOf(shop, { svm }))
    const answer = await shop.ask({ headers: headerOf({ ...proof, address: `${svm.address.slice(0, -1)}a` }) })
    expect(await codeOf(answer)).toBe('sign_in_invalid')
  })
})

describe('contract wallets', () => {
  let chain: EvmChain
  beforeAll(async () => {
    chain = await startEvmChain({ rpcUrl: false })
  })
  afterAll(() => chain?.stop())

  test('EXT-SIGN-018 sign in where their contract takes the signature, deployed or not, and on no other chain', async () => {
    const owner = privateKeyToAccount(chain.account('payer').privateKey)
    const wallets = contractWallets({ 'eip155:84532': chain.rpcUrl })
    const factory = await deployWalletFactory(chain)
    const undeployed = await factory.predict(owner.address)
    const deployed = await deployErc1271Wallet(chain, owner.address)
    for (const [address, wrap] of [
      [deployed, (it: `0x${string}`) => it],
      [undeployed.address, undeployed.wrap],
    ] as const) {
      const account = {
        address,
        signMessage: async ({ message }: { message: string }) => wrap(await owner.signMessage({ message })),
      }
      const shop = await openPass(pass, {}, { wallets })
      await buy(shop, address)
      const answer = await shop.ask({ headers: await headersOf(shop, { evm: account }) })
      expect(answer.status).toBe(200)
      const plain = await openPass(pass)
      await buy(plain, address)
      expect(await codeOf(await plain.ask({ headers: await headersOf(plain, { evm: account }) }))).toBe(
        'sign_in_invalid',
      )
      // What it has paid for on another chain may be somebody else's.
      await shop.store.record(`eip155:${address.toLowerCase()}`, 'elsewhere', { pid: 'x' as Pid, network: 'eip155:1' })
      const elsewhere = await openPass({ ...pass, scope: 'elsewhere' }, {}, { wallets, store: shop.store })
      expect(await codeOf(await elsewhere.ask({ headers: await headersOf(elsewhere, { evm: account }) }))).toBe(
        'sign_in_unknown',
      )
      const bad = { ...account, signMessage: async () => wrap(await owner.signMessage({ message: 'other' })) }
      expect(await codeOf(await shop.ask({ headers: await headersOf(shop, { evm: bad }) }))).toBe('sign_in_invalid')
    }
    expect(
      await wallets.accepts({
        network: 'eip155:1',
        address: deployed,
        digest: new Uint8Array(32),
        signature: new Uint8Array(65),
      }),
    ).toBe(false)
  })

  test('EXT-SIGN-026 invented signatures of contracts ask a chain so many times, about one account and in all; right ones count for nothing', async () => {
    const asked: string[] = []
    let isGood = false
    const wallets = {
      accepts: async ({ address }: { address: string }) => {
        asked.push(address)
        return isGood
      },
    }
    const walletQuestions = { perAccount: 3, total: 5 }
    let at = Date.now()
    const clock = () => at
    const shop = await openPass(pass, { clock }, { wallets, walletQuestions })
    const attempt = async (address: string) => {
      const proof = { ...proofOf(await headersOf(shop)), address, signature: `0x${'01'.repeat(80)}` }
      const answer = await shop.ask({ headers: headerOf(proof) })
      return [answer.status, await codeOf(answer), answer.headers.get('retry-after')]
    }
    const [one, two] = [evm.address, other.address]
    isGood = true
    for (let n = 0; n < 7; n++) expect((await attempt(one))[1]).toBe('sign_in_unknown')
    isGood = false
    for (let n = 0; n < 3; n++) expect((await attempt(one))[1]).toBe('sign_in_invalid')
    expect(await attempt(one)).toEqual([429, 'quota_exceeded', '20'])
    for (let n = 0; n < 2; n++) expect((await attempt(two))[1]).toBe('sign_in_invalid')
    expect(await attempt(two)).toEqual([429, 'quota_exceeded', '12'])
    expect(asked).toHaveLength(12)
    // A key needs no chain.
    await buy(shop)
    expect((await shop.ask({ headers: await headersOf(shop) })).status).toBe(200)
    at += 20_000
    expect((await attempt(one))[1]).toBe('sign_in_invalid')
    expect((await attempt(one))[0]).toBe(429)

    const members = signedInOnly({
      ...{ store: memorySignIns(), origin: ORIGIN, networks: ['base-sepolia'], wallets },
      walletQuestions: { perAccount: 1 },
      clock,
    })(() => new Response('hello'))
    const knock = async () => {
      const challenge = await (await members(new Request(`${ORIGIN}/a`))).json()
      const { info } = challenge.extensions[KEY]
      const proof = {
        ...info,
        address: one,
        chainId: 'eip155:84532',
        type: 'eip191',
        signature: `0x${'01'.repeat(80)}`,
      }
      return members(new Request(`${ORIGIN}/a`, { headers: headerOf(proof) }))
    }
    expect((await knock()).status).toBe(401)
    const refused = await knock()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
  })

  test('EXT-SIGN-014 nobody signs in as a contract while its chain cannot be asked', async () => {
    const shop = await openPass(pass, {}, { wallets: contractWallets({ 'eip155:84532': 'http://127.0.0.1:9' }) })
    const answer = await shop.ask({
      headers: headerOf({ ...proofOf(await headersOf(shop)), signature: `0x${'01'.repeat(80)}` }),
    })
    expect([answer.status, await codeOf(answer)]).toEqual([503, 'extension_unavailable'])
  })
})

describe('messages', () => {
  const uri = 'https://api.example.test/v1/quote?pair=ETH-USD'
  const info = {
    domain: 'api.example.test',
    uri,
    resources: [uri],
    version: '1' as const,
    nonce: '00112233445566778899aabbccddeeff',
    issuedAt: '2027-01-15T08:00:00.000Z',
    expirationTime: '2027-01-15T08:05:00.000Z',
    statement: 'Sign in to reuse a purchase',
  }
  const { statement: _, ...silent } = info
  const A = '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A'
  const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp'

  test.each([
    [
      info,
      394,
      '0x6fb9eadd81bd88643d7cd3995a7ba416f4e7de2ff3a445927c2074880e8a649d',
      '0x0435fd9ccdb9d6109c00cb882270d5e778e2daa4e5c9a1f4d54cc069b7e6ba727dc6ba5c2b82ac38ce009136833d132efc5b03c4a3e85d37aca658f4cbdbbfd01b',
    ],
    [
      silent,
      366,
      '0x886252c123d036b677a9b7feac72fd4e2b77201fbd0c589218b55de3644d12af',
      '0x4f2fe8a0850d1dbec27f5c9272fcf59292fd7952e930e42dc960517cbd4c347d3f60f91145a5f8f92de98a130b8b9bf3412707fdb54ea420a5ecddee05a366671c',
    ],
  ])('EXT-SIGN-020 for Ethereum are those of the vectors', async (message, bytes, hash, signature) => {
    const text = formatSignIn({ ...message, address: A, chainId: 'eip155:8453' })
    expect([text.length, hashMessage(text)]).toEqual([bytes, hash])
    expect(await signedBy({ ...message, address: A, chainId: 'eip155:8453', type: 'eip191', signature })).toBe('key')
    expect(
      await signedBy({ ...message, address: other.address, chainId: 'eip155:8453', type: 'eip191', signature }),
    ).toBeUndefined()
  })

  test('EXT-SIGN-020 for Solana are those of the vectors', async () => {
    const signature = '4kC5AQpjS983c25FqxCPhQDQohS1CWXAjY8hJkACuJRaFm1bgp3rYUiZAjnqH7WNXwh8VVeAxnvVKeWciybDWosv'
    const proof = { ...info, address: svm.address, chainId: SOLANA, type: 'ed25519', signature }
    expect([
      formatSignIn(proof).length,
      formatSignIn({ ...silent, address: svm.address, chainId: SOLANA }).length,
    ]).toEqual([421, 392])
    expect(await signedBy(proof)).toBe('key')
    expect(await signedBy({ ...proof, nonce: '10112233445566778899aabbccddeeff' })).toBeUndefined()
  })

  test('EXT-SIGN-010 the verifier answers whatever it is given', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          address: fc.string(),
          chainId: fc.constantFrom('eip155:1', SOLANA, 'x', 'eip155:'),
          type: fc.constantFrom('eip191', 'ed25519', 'x'),
          signature: fc.string(),
          statement: fc.string(),
        }),
        async (change) => {
          expect(await signedBy({ ...info, ...change })).toBeUndefined()
        },
      ),
    )
  })
})

describe('a payer that signs in', () => {
  const announced = async (): Promise<JsonObject> => {
    const shop = await openPass()
    return (await shop.challenge()).extensions?.[KEY] as JsonObject
  }
  const present = (value: JsonObject, url: string, accounts: Account = { evm }) =>
    signInWithAccounts(accounts).present?.(value, { url: new URL(url) } as never)

  test('EXT-SIGN-021 signs for whoever answered and for nobody else', async () => {
    const value = await announced()
    expect(await present(value, `${ORIGIN}/a`)).toBeDefined()
    expect(await present(value, 'https://evil.example/a')).toBeUndefined()
    expect(await present(value, 'http://shop.example/a')).toBeUndefined()
    expect(await present(value, 'https://shop.example:8443/a')).toBeUndefined()
    const info = value.info as JsonObject
    const plain = { ...value, info: { ...info, uri: 'http://shop.example/a' } }
    expect(await present(plain, 'http://shop.example/a')).toBeUndefined()
    const near = { ...value, info: { ...info, domain: 'localhost', uri: 'http://localhost/a' } }
    expect(await present(near, 'http://localhost/a')).toBeDefined()
    for (const change of [
      { uri: 'https://evil.example/' },
      { domain: 'evil.example' },
      { statement: 'a\nURI: x' },
      { nonce: '1' },
      { version: '2' },
    ] as Record<string, Json>[]) {
      expect(await present({ ...value, info: { ...info, ...change } }, `${ORIGIN}/a`)).toBeUndefined()
    }
  })

  test('EXT-SIGN-022 signs with the account of the chain, and with none where there is none', async () => {
    const value = await announced()
    expect(await present(value, `${ORIGIN}/a`, { svm })).toBeUndefined()
    expect(
      await present({ ...value, supportedChains: [{ chainId: 'x:1', type: 'eip191' }, 1, null] }, `${ORIGIN}/a`),
    ).toBeUndefined()
  })

  test('EXT-SIGN-013 EXT-SIGN-021 no name of a chain begins a line of its own in what is signed', async () => {
    const value = await announced()
    for (const chainId of [`${network('solana-devnet')}\nURI: https://evil.example`, 'solana:', 'solana:x y']) {
      const chains = { supportedChains: [{ chainId, type: 'ed25519' }] }
      expect(await present({ ...value, ...chains }, `${ORIGIN}/a`, { svm })).toBeUndefined()
    }
    const good = { supportedChains: [{ chainId: network('solana-devnet'), type: 'ed25519' }] }
    expect(await present({ ...value, ...good }, `${ORIGIN}/a`, { svm })).toBeDefined()
  })

  test('EXT-SIGN-023 D17 echoes nothing of the challenge in a payment', async () => {
    expect(await signInWithAccounts({ evm }).attach?.(await announced(), {} as never)).toBeUndefined()
  })
})

describe('a route that asks for a sign-in and for no money', () => {
  const at = `${ORIGIN}/members`
  const memberOf = (more: Partial<Parameters<typeof signedInOnly>[0]> = {}) => {
    const route = signedInOnly({
      store: memorySignIns(),
      origin: ORIGIN,
      networks: ['base-sepolia', 'solana-devnet'],
      ...more,
    })
    let served = 0
    const serve = route((_, { address, network: chain }) => {
      served += 1
      return Response.json({ address, chain })
    })
    const sent: Request[] = []
    const fetch = (async (input: Request) => {
      sent.push(input.clone())
      return serve(input)
    }) as typeof globalThis.fetch
    return { serve, fetch, sent, served: () => served }
  }

  test('EXT-SIGN-024 a path that begins with two slashes is one of this server, and no host', async () => {
    const { serve } = memberOf()
    for (const path of ['//evil.example/members', '//']) {
      const answer = await serve(new Request(ORIGIN + path))
      expect(JSON.parse(atob(answer.headers.get('payment-required') ?? ''))).toMatchObject({
        extensions: { [KEY]: { info: { uri: ORIGIN + path, domain: 'shop.example' } } },
      })
    }
  })

  test('EXT-SIGN-024 EXT-SIGN-025 serves accounts of both kinds, each proof once, and no cache keeps it', async () => {
    const { serve, fetch, sent, served } = memberOf()
    const strange = await serve(new Request(at))
    expect([strange.status, strange.headers.get('cache-control')]).toEqual([401, 'private, no-store'])
    expect(JSON.parse(atob(strange.headers.get('payment-required') ?? ''))).toMatchObject({
      accepts: [],
      extensions: { [KEY]: { info: { uri: at, domain: 'shop.example' } } },
    })
    const answer = await signedInFetch({ evm }, fetch)(at, { method: 'POST', body: 'hello' })
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { address: expect.stringMatching(new RegExp(evm.address, 'i')), chain: network('base-sepolia') },
    ])
    expect([answer.headers.get('cache-control'), answer.headers.get('vary')]).toEqual(['private, no-store', HEADER])
    expect(await Promise.all(sent.map((each) => each.text()))).toEqual(['hello', 'hello'])
    expect(await (await signedInFetch({ svm }, copyingFetch(fetch))(at)).json()).toMatchObject({ address: svm.address })
    const replayed = await serve(new Request(at, { headers: { [HEADER]: sent[1]?.headers.get(HEADER) ?? '' } }))
    expect([replayed.status, (await replayed.json()).code, served()]).toEqual([401, 'sign_in_replayed', 2])
  })

  test('EXT-SIGN-024 serves nobody by a proof for a shop, for another scope or by another key, and nobody while it cannot tell', async () => {
    const { serve, served } = memberOf()
    const shop = await openPass()
    const foreign = [await headersOf(shop), { [HEADER]: 'x' }]
    for (const headers of foreign) expect((await serve(new Request(at, { headers }))).status).toBe(401)
    const elsewhere = memberOf({ scope: 'other' })
    await signedInFetch({ evm }, elsewhere.fetch)(at)
    const proof = elsewhere.sent[1]?.headers.get(HEADER) ?? ''
    expect((await serve(new Request(at, { headers: { [HEADER]: proof } }))).status).toBe(401)
    expect(served()).toBe(0)
    const closed = memberOf({ allow: ({ address }) => address === other.address })
    expect((await signedInFetch({ evm }, closed.fetch)(at)).status).toBe(403)
    const down: SignIns = { ...memorySignIns(), consume: () => Promise.reject(new Error('no such table')) }
    const broken = memberOf({ store: down })
    expect((await signedInFetch({ evm }, broken.fetch)(at)).status).toBe(503)
    expect(closed.served() + broken.served()).toBe(0)
  })

  test('EXT-SIGN-005 a proof is remembered for as long as any replica takes it for good', async () => {
    let now = 1_800_000_030_000
    const kept: number[] = []
    const store: SignIns = { ...memorySignIns(), consume: async (_, until) => kept.push(until) > 0 }
    const member = memberOf({ store, clock: () => now })
    await signedInFetch({ evm }, (async (input: Request) => {
      const answer = await member.serve(input)
      // The one that is asked next is behind the one that made the challenge.
      now -= 29_000
      return answer
    }) as typeof globalThis.fetch)(at)
    expect(kept[0]).toBeGreaterThan(1_800_000_030_000 + 300_000 + 30_000)
  })

  test('EXT-SIGN-025 a client signs once, and nothing for another origin', async () => {
    let asked = 0
    const insatiable = memberOf({
      networks: ['base-sepolia'],
      store: { ...memorySignIns(), consume: async () => false },
    })
    const counting = (async (input: Request) => {
      asked += 1
      return insatiable.fetch(input)
    }) as typeof globalThis.fetch
    expect((await signedInFetch({ evm }, counting)(at)).status).toBe(401)
    expect(asked).toBe(2)
    const thief = (async () => insatiable.serve(new Request(at))) as unknown as typeof globalThis.fetch
    let calls = 0
    const watched = (async (...args: Parameters<typeof globalThis.fetch>) => {
      calls += 1
      return thief(...args)
    }) as typeof globalThis.fetch
    expect((await signedInFetch({ evm }, watched)('https://other.example/x')).status).toBe(401)
    expect(calls).toBe(1)
  })
})
