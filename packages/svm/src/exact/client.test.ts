import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { assetByTicker, type JsonObject, network, type PaymentRequirements, type PrepareContext } from '@groat/core'
import {
  decompileTransactionMessage,
  getBase64Encoder,
  getCompiledTransactionMessageDecoder,
  getTransactionDecoder,
  type Instruction,
} from '@solana/kit'
import { buildSync } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { BLOCKHASH, DEVNET, FEE_PAYER, offerOf, PAYER, PAYER_KEY, SELLER } from '../../testing/payments.js'
import type { SvmAccount } from '../account.js'
import { type ExactSvmClientOptions, exactSvm, secretKeyAccount } from './client.js'
import { inspectExact } from './shared.js'

const SECONDS = 1_750_000_000
const context: PrepareContext = {
  clock: () => 1000 * SECONDS + 999,
  random: (length) => new Uint8Array(length).fill(0x11),
  maxLifetimeSeconds: 600,
}
const account = secretKeyAccount(PAYER_KEY)
const schemeOf = (options: Partial<ExactSvmClientOptions> = {}) =>
  exactSvm({ account, rpc: async () => BLOCKHASH, ...options })
const offer = offerOf()

async function prepared(
  terms: PaymentRequirements = offer,
  options: Partial<ExactSvmClientOptions> = {},
  using = context,
) {
  const ready = await schemeOf(options).prepare(terms, using)
  if (!ready.ok) throw new TypeError(ready.code)
  return ready
}

function readByKit(payload: JsonObject) {
  const transaction = getTransactionDecoder().decode(getBase64Encoder().encode(String(payload.transaction)))
  const compiled = getCompiledTransactionMessageDecoder().decode(transaction.messageBytes)
  const message = decompileTransactionMessage(compiled)
  const instructions: readonly Instruction[] = message.instructions
  return { transaction, message: { ...message, instructions } }
}

test('what would be signed is known before it is signed', async () => {
  expect(await schemeOf().prepare(offer, context)).toEqual({
    ok: true,
    pid: expect.stringMatching(/^[0-9a-f]{64}$/),
    payer: PAYER,
    amount: 1000n,
    expiresAt: SECONDS + 120,
    local: true,
    allowance: 0n,
    preview: {
      network: DEVNET,
      asset: 'USDC',
      mint: offer.asset,
      transfer: { from: PAYER, to: SELLER, amount: '1000' },
      memo: '11'.repeat(16),
      feePayer: FEE_PAYER,
      blockhash: BLOCKHASH,
    },
    sign: expect.any(Function),
  })
})

test('SVM-EXACT-010, SVM-EXACT-011, SVM-EXACT-012, SVM-EXACT-014, SVM-EXACT-019 others read what was meant', async () => {
  const { transaction, message } = readByKit(await (await prepared()).sign())
  expect(Object.entries(transaction.signatures)).toEqual([
    [FEE_PAYER, null],
    [PAYER, expect.any(Uint8Array)],
  ])
  expect(message).toMatchObject({ version: 0, feePayer: { address: FEE_PAYER } })
  expect(
    message.instructions.map(({ programAddress, data }) => [programAddress, Buffer.from(data ?? []).toString('hex')]),
  ).toEqual([
    ['ComputeBudget111111111111111111111111111111', '02204e0000'],
    ['ComputeBudget111111111111111111111111111111', '030100000000000000'],
    ['TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA', '0ce80300000000000006'],
    ['MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr', Buffer.from('11'.repeat(16)).toString('hex')],
  ])
  expect(message.instructions[2]?.accounts?.map(({ address, role }) => [address, role])).toEqual([
    ['GzpVTWkyGGfBXRaprnrhV3JtGj3TT52z5w2CrEJsTfjm', 1],
    [offer.asset, 0],
    ['6ndWAgFxMAVLobD8WrdBj5w41GrDeJYiQX91nNSrwkZp', 1],
    [PAYER, 2],
  ])
})

test('SVM-EXACT-013, SVM-EXACT-080 the seller reads the identity that the payer wrote down, in either version', async () => {
  const ready = await prepared()
  const payment = { scheme: 'exact', network: DEVNET, payload: await ready.sign() } as const
  const about = { ok: true, pid: ready.pid, payer: PAYER, expiresAt: SECONDS + 120 }
  const now = { now: 1000 * SECONDS }
  expect(inspectExact({ x402Version: 2, accepted: offer, ...payment }, offer, now)).toEqual(about)
  expect(inspectExact({ x402Version: 1, ...payment }, offer, now)).toEqual(about)
})

test('SVM-EXACT-017 the newer token program has its own addresses, and room in the budget', async () => {
  const pyusd = offerOf({ network: network('solana'), ticker: 'PYUSD' })
  const { message } = readByKit(await (await prepared(pyusd)).sign())
  expect(message.instructions[0]?.data).toEqual(new Uint8Array([2, 0x28, 0x55, 0, 0])) // 21,800
  expect(message.instructions[2]).toMatchObject({
    programAddress: 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb',
    accounts: [
      { address: '71GsRSpusM5S9e2B8GZ8GLKvLTMGRQxUNEbkTTzHoMrD' },
      { address: '2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo' },
      { address: '5AJ5PmLBPTY9JkKPSkSdNrghd1iqoWh1U55g3ByVG41y' },
      { address: PAYER },
    ],
  })
})

describe('memos', () => {
  const memoOf = async (terms: PaymentRequirements, using = context) => {
    const { message } = readByKit(await (await prepared(terms, {}, using)).sign())
    return [message.instructions[0]?.data?.slice(1, 3), Buffer.from(message.instructions[3]?.data ?? []).toString()]
  }

  test('SVM-EXACT-014 the seller’s memo stands there as it is', async () => {
    const quiet = { ...context, random: (length: number) => new Uint8Array(length) }
    expect(await memoOf(offerOf({ extra: { memo: 'pi_3abc123def456' } }), quiet)).toEqual([
      new Uint8Array([0x20, 0x4e]),
      'pi_3abc123def456',
    ])
    const [units, text] = await memoOf(offerOf({ extra: { memo: 'é'.repeat(128) } }), quiet)
    expect([Buffer.from(units ?? []).readUInt16LE(), text]).toEqual([(7_000 + 400 * 256) % 65_536, 'é'.repeat(128)])
  })

  test('SVM-EXACT-015 two payments are two messages, also when the memo is fixed', async () => {
    let drawn = 0
    const random = (length: number) => new Uint8Array(length).fill(drawn++)
    for (const terms of [offer, offerOf({ extra: { memo: 'order-7' } })]) {
      const pids = await Promise.all([1, 2, 3].map(async () => (await prepared(terms, {}, { ...context, random })).pid))
      expect(new Set(pids).size).toBe(3)
    }
  })

  test.each<[string, unknown]>([
    ['SVM-EXACT-004 an empty one', ''],
    ['SVM-EXACT-004 a number', 42],
    ['SVM-EXACT-004 257 bytes', 'x'.repeat(257)],
    ['SVM-EXACT-004 257 bytes of fewer characters', `${'é'.repeat(128)}x`],
  ])('%s is not paid', async (_name, memo) => {
    const terms = { ...offer, extra: { ...offer.extra, memo: memo as string } }
    expect(await schemeOf().prepare(terms, context)).toMatchObject({
      code: 'invalid_payment_requirements',
      detail: 'extra.memo',
    })
  })
})

const without = (name: string) => Object.fromEntries(Object.entries(offer.extra).filter(([key]) => key !== name))
test.each<[string, Partial<PaymentRequirements>, string]>([
  ['an unknown token', { asset: SELLER }, 'asset_not_known'],
  ['a known token on another chain', { network: network('solana') }, 'asset_not_known'],
  [
    'SVM-EXACT-022 nobody to pay the fee',
    { extra: without('feePayer') },
    'invalid_exact_svm_payload_missing_fee_payer',
  ],
  ['no address to pay the fee', { extra: { feePayer: 'me' } }, 'invalid_exact_svm_payload_missing_fee_payer'],
  ['SVM-EXACT-016 the payer to pay the fee', { extra: { feePayer: PAYER } }, 'fee_payer_not_allowed'],
  ['no recipient', { payTo: '' }, 'invalid_payment_requirements'],
  ['SVM-EXACT-006 an amount of nothing', { amount: 0n }, 'invalid_payment_requirements'],
  ['SVM-EXACT-006 more than there can be', { amount: 2n ** 64n }, 'invalid_payment_requirements'],
])('an offer with %s is not prepared', async (_name, changes, code) => {
  expect(await schemeOf().prepare({ ...offer, ...changes }, context)).toMatchObject({ ok: false, code })
})

test('a token that is moved otherwise is not paid in', async () => {
  const usdc = { ...assetByTicker(DEVNET, 'USDC')!, transfer: 'permit2' as const }
  const own = schemeOf({ assets: [usdc] })
  expect(own.asset(offer)).toBe(usdc)
  expect(await own.prepare(offer, context)).toMatchObject({ code: 'unsupported_transfer_method' })
})

describe('blockhashes', () => {
  const another = 'GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse'
  const hinted = offerOf({ extra: { recentBlockhash: another } })
  const blockhashOf = async (options: Partial<ExactSvmClientOptions>, terms = hinted) => {
    const ready = await exactSvm({ account, ...options }).prepare(terms, context)
    return ready.ok ? ready.preview.blockhash : ready.code
  }

  test('SVM-EXACT-018 the payer’s own node comes before the offer', async () => {
    const failing = () => Promise.reject(new Error('down'))
    expect([
      await blockhashOf({ rpc: async () => BLOCKHASH }),
      await blockhashOf({}),
      await blockhashOf({ rpc: failing }),
      await blockhashOf({ rpc: async () => 'nonsense' }),
      await blockhashOf({ rpc: failing }, offer),
      await blockhashOf({}, offerOf({ extra: { recentBlockhash: 'nonsense' } })),
    ]).toEqual([BLOCKHASH, another, another, another, 'recent_blockhash_not_known', 'recent_blockhash_not_known'])
  })

  test('a node is asked once for what comes together, and by network', async () => {
    const asked: string[] = []
    const fetch = async (url: unknown) => {
      asked.push(String(url))
      return Response.json({ jsonrpc: '2.0', id: 1, result: { context: { slot: 1 }, value: { blockhash: BLOCKHASH } } })
    }
    const scheme = exactSvm({ account, rpc: { 'solana-devnet': 'http://dev.example' }, fetch })
    await Promise.all([1, 2, 3].map(() => scheme.prepare(offer, context)))
    await scheme.prepare(offer, { ...context, clock: () => 1000 * (SECONDS + 3) })
    const elsewhere = await scheme.prepare(offerOf({ network: network('solana') }), context)
    expect([asked, elsewhere]).toEqual([
      ['http://dev.example', 'http://dev.example'],
      expect.objectContaining({ code: 'recent_blockhash_not_known' }),
    ])
    expect(() => exactSvm({ account, rpc: { 'no network': 'http://x' } })).toThrow(
      expect.objectContaining({ code: 'invalid_network' }),
    )
  })
})

test('the payer has an account on Solana', () => {
  const scheme = schemeOf()
  expect([scheme.payer(network('solana')), scheme.payer(network('base'))]).toEqual([PAYER, undefined])
  expect(() => exactSvm({ account: { ...account, address: 'me' } })).toThrow(TypeError)
})

test('a wallet that fails is a fault of its own', async () => {
  const rejecting: SvmAccount = { address: PAYER, sign: () => Promise.reject(new Error('user rejected')) }
  const ready = await prepared(offer, { account: rejecting })
  await expect(ready.sign()).rejects.toMatchObject({ name: 'X402Error', code: 'signer_failed' })
})

test('a browser bundle that signs payments contains a curve, core, and nothing of a chain library', () => {
  const [bundle] = buildSync({
    stdin: {
      contents: `import { exactSvm, secretKeyAccount } from './client.ts'
                 export const scheme = (key, rpc) => exactSvm({ account: secretKeyAccount(key), rpc })`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    ...{ bundle: true, minify: true, platform: 'browser', format: 'esm', write: false, conditions: ['source'] },
  }).outputFiles
  const code = bundle!.text
  for (const forbidden of ['solana/kit', 'zod', 'web3', 'getSignatureStatuses', 'simulateTransaction']) {
    expect([forbidden, code.includes(forbidden)]).toEqual([forbidden, false])
  }
  expect(gzipSync(bundle!.contents).length).toBeLessThan(12_000)
})
