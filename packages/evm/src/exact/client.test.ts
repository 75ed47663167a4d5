import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { assetByTicker, type JsonObject, network, type PaymentRequirements, type PrepareContext } from '@groat/core'
import { arbObject } from '@groat/core/testing'
import { buildSync } from 'esbuild'
import * as fc from 'fast-check'
import { recoverTypedDataAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { offerOf, PAYER_KEY, SELLER } from '../../testing/payments.js'
import type { EvmAccount } from '../account.js'
import type { Hex } from '../hex.js'
import { exactEvm, privateKeyAccount } from './client.js'
import { authorizationTypedData } from './eip3009.js'
import { readExact } from './shared.js'

const SECONDS = 1_750_000_000
const context: PrepareContext = {
  clock: () => 1000 * SECONDS + 999,
  random: (length) => new Uint8Array(length).fill(0x11),
  maxLifetimeSeconds: 600,
}
const offer = offerOf()
const viemAccount = privateKeyToAccount(PAYER_KEY)
const scheme = exactEvm({ account: privateKeyAccount(PAYER_KEY) })

async function signed(account: EvmAccount): Promise<JsonObject> {
  const prepared = exactEvm({ account }).prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  return prepared.sign()
}

test('EVM-EXACT-012 EVM-EXACT-013 EVM-EXACT-014 EVM-EXACT-016 EVM-EXACT-011 to 018 what would be signed is known before it is signed', () => {
  expect(scheme.prepare(offer, context)).toEqual({
    ok: true,
    pid: expect.stringMatching(/^[0-9a-f]{64}$/),
    payer: '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
    amount: 1000n,
    allowance: 0n,
    expiresAt: SECONDS + 60,
    local: true,
    preview: {
      network: 'eip155:84532',
      asset: 'USDC',
      token: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
      authorization: {
        from: '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
        to: SELLER.toLowerCase(),
        value: '1000',
        validAfter: '0',
        validBefore: String(SECONDS + 60),
        nonce: `0x${'11'.repeat(32)}`,
      },
    },
    sign: expect.any(Function),
  })
})

test('the published vector comes out, from a key and from a wallet alike', async () => {
  const at = 2_000_000_000
  const vector: PrepareContext = { ...context, clock: () => 1000 * (at - 60) }
  for (const account of [privateKeyAccount(PAYER_KEY), viemAccount]) {
    const prepared = exactEvm({ account }).prepare({ ...offer, amount: 10_000n }, vector)
    expect(prepared.ok && (await prepared.sign())).toMatchObject({
      signature:
        '0xd6f621c8795d5a591106925400f9e441cd7b3237689fa98325e2a246548254895f4ae3e2a584ec5139873aaed8433bae4fd80ced953eb81b087707c10464189a1c',
      authorization: { value: '10000', validBefore: String(at), nonce: `0x${'11'.repeat(32)}` },
    })
  }
})

test('the facilitator reads the identity that the payer wrote down', async () => {
  const prepared = scheme.prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  const payload = await prepared.sign()
  const payment = { x402Version: 2, scheme: 'exact', network: offer.network, accepted: offer, payload } as const
  const read = readExact(payment, offer)
  if (!read.ok) throw new TypeError(read.code)
  expect(read.pid).toBe(prepared.pid)
  const data = authorizationTypedData(read.domain, read.authorization)
  // Typed data whose types are known only at run time.
  const signer = await recoverTypedDataAddress({ ...data, signature: payload.signature as Hex } as never)
  expect(signer).toBe(viemAccount.address)
})

test('EVM-EXACT-015 a signature never lives longer than the payer allows, nor than the offer asks', () => {
  const lifeOf = (maxTimeoutSeconds: number, maxLifetimeSeconds: number) => {
    const prepared = scheme.prepare({ ...offer, maxTimeoutSeconds }, { ...context, maxLifetimeSeconds })
    return prepared.ok && prepared.expiresAt - SECONDS
  }
  expect([lifeOf(60, 600), lifeOf(315_360_000, 600), lifeOf(60.9, 600), lifeOf(60, 30)]).toEqual([60, 600, 60, 30])
})

const usdc = assetByTicker(offer.network, 'USD')!
test.each<[string, Partial<PaymentRequirements>, string]>([
  ['an unknown token', { asset: SELLER }, 'asset_not_known'],
  ['a known token on another chain', { network: network('base') }, 'asset_not_known'],
  ['a chain that is not one', { network: network('eip155:0x1') }, 'asset_not_known'],
  ['EVM-EXACT-007 another name', { extra: { name: 'USD Coin', version: '2' } }, 'domain_mismatch'],
  ['EVM-EXACT-007 another version', { extra: { name: 'USDC', version: '1' } }, 'domain_mismatch'],
  ['EVM-EXACT-003 no name', { extra: { version: '2' } }, 'invalid_exact_evm_missing_eip712_domain'],
  [
    'EVM-EXACT-006 another method',
    { extra: { ...offer.extra, assetTransferMethod: 'permit2' } },
    'unsupported_transfer_method',
  ],
  [
    'EVM-EXACT-006 an unknown method',
    { extra: { ...offer.extra, assetTransferMethod: 'erc7710' } },
    'unsupported_transfer_method',
  ],
  ['no recipient', { payTo: '' }, 'invalid_payment_requirements'],
])('an offer with %s is not prepared', (_name, changes, code) => {
  expect(scheme.prepare({ ...offer, ...changes }, context)).toMatchObject({ ok: false, code })
})

test('EVM-EXACT-005 eip3009 may be said or left out; what else stands in extra is not ours', async () => {
  await fc.assert(
    fc.property(arbObject, fc.boolean(), (extra, said) => {
      const { assetTransferMethod: _, ...rest } = extra
      const method = said ? { assetTransferMethod: 'eip3009' } : {}
      const terms = { ...offer, extra: { ...rest, ...offer.extra, ...method } }
      expect(scheme.prepare(terms, context)).toMatchObject({ ok: true, amount: 1000n })
    }),
  )
})

test('the payer’s own tokens come before the default ones', () => {
  const mine = { ...usdc, domain: { name: 'Mine', version: '9' } }
  const own = exactEvm({ account: privateKeyAccount(PAYER_KEY), assets: [mine] })
  expect(own.asset(offer)).toBe(mine)
  expect(own.prepare(offer, context)).toMatchObject({ code: 'domain_mismatch' })
  expect(own.prepare({ ...offer, extra: { name: 'Mine', version: '9' } }, context)).toMatchObject({ ok: true })
})

test('the payer has an account on EVM chains', () => {
  expect([scheme.payer(network('base')), scheme.payer(network('solana'))]).toEqual([
    privateKeyAccount(PAYER_KEY).address,
    undefined,
  ])
})

test('EVM-EXACT-019 a wallet that gives the parity for v is put right; a contract wallet’s bytes are left alone', async () => {
  const good = String((await signed(viemAccount)).signature)
  const parity = `${good.slice(0, -2)}${good.endsWith('1b') ? '00' : '01'}` as Hex
  const wallet = (signature: Hex): EvmAccount => ({
    address: viemAccount.address,
    signTypedData: async () => signature,
  })
  expect((await signed(wallet(parity))).signature).toBe(good)
  expect((await signed(wallet('0x00'))).signature).toBe('0x00')
})

test('a wallet that fails is a fault of its own', async () => {
  const address = viemAccount.address
  const rejecting: EvmAccount = { address, signTypedData: () => Promise.reject(new Error('user rejected')) }
  const babbling: EvmAccount = { address, signTypedData: async () => '0xhello' }
  for (const account of [rejecting, babbling]) {
    await expect(signed(account)).rejects.toMatchObject({ name: 'X402Error', code: 'signer_failed' })
  }
  expect(() => exactEvm({ account: { ...rejecting, address: '0x' } })).toThrow(TypeError)
})

test('a key is not quoted when it is none', () => {
  for (const bad of ['0x1234', 'secret', `0x${'ff'.repeat(32)}`]) {
    expect(() => privateKeyAccount(bad)).toThrow(RangeError)
    expect(() => privateKeyAccount(bad)).not.toThrow(bad.slice(2))
  }
})

test('a browser bundle that signs payments contains noble’s curve, core, and nothing of a chain library', () => {
  const [bundle] = buildSync({
    stdin: {
      contents: `import { exactEvm, privateKeyAccount } from './client.ts'
                 export const scheme = (key) => exactEvm({ account: privateKeyAccount(key) })`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    ...{ bundle: true, minify: true, platform: 'browser', format: 'esm', write: false, conditions: ['source'] },
    // As browsers get it: without the registry's words, which grow with every scheme.
    alias: {
      '#registry': fileURLToPath(import.meta.resolve('@groat/core')).replace('index.ts', 'errors/registry.browser.ts'),
    },
  }).outputFiles
  // What core asks a platform for at run time, where that has it, is not loaded.
  const code = bundle!.text.replace('getBuiltinModule?.("node:crypto")', '')
  for (const forbidden of ['viem', 'zod', 'elliptic', 'libauth', 'bindings.js', 'WebAssembly', 'node:', 'eth_call']) {
    expect([forbidden, code.includes(forbidden)]).toEqual([forbidden, false])
  }
  // 11 kB: the curve 3.3, core's asset table 1.7, the rest hashing and this scheme.
  expect(gzipSync(bundle!.contents).length).toBeLessThan(11_400)
})
