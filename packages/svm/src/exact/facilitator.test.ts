import { type Asset, assetByTicker, type PaymentRequirements } from '@groat/core'
import { type SvmChain as LocalChain, startSvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Extension, keys, mintAccount, transferFee } from '../../testing/mints.js'
import {
  DEVNET,
  FEE_PAYER,
  FEE_PAYER_KEY,
  offerOf,
  PAYER,
  PAYER_KEY,
  pay,
  payBy,
  SELLER,
} from '../../testing/payments.js'
import { createSvmChain, createSvmRpc } from '../chain.js'
import { addressBytes, formatAddress, type Key } from '../wire/address.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { memo, setComputeUnitLimit, setComputeUnitPrice } from '../wire/instructions.js'
import type { PlannedInstruction } from '../wire/message.js'
import { programs } from '../wire/programs.js'
import { exactSvm as client, secretKeyAccount } from './client.js'
import { type ExactSvmFacilitatorOptions, exactSvm, type MintPower } from './facilitator.js'
import { exactSvm as server } from './server.js'

// Real mints on the real runtime. What the engine does with a payment is told where the engine is.

let local: LocalChain
let revert: () => Promise<void>
beforeAll(async () => {
  local = await startSvmChain({ rpcUrl: false, tick: 'off' })
  revert = await local.snapshot()
})
beforeEach(() => revert())
afterAll(() => local?.stop())

const account = secretKeyAccount(PAYER_KEY)
const at = () => ({ now: Date.now() })

/** A facilitator that accepts these tokens. */
function schemeOf(assets: readonly Asset[] | undefined, options: Partial<ExactSvmFacilitatorOptions> = {}) {
  const chain = createSvmChain({ network: DEVNET, rpc: local.rpcUrl, signers: [FEE_PAYER_KEY], assets })
  return { chain, scheme: exactSvm({ chains: [chain], ...options }) }
}

/** Settles without an engine: what is signed is sent, and the chain is asked. */
async function settle({ chain, scheme }: ReturnType<typeof schemeOf>, ...payment: Parameters<typeof scheme.prepare>) {
  const signed = await chain.sign(scheme.prepare(...payment), { signer: FEE_PAYER })
  expect(await chain.send(signed)).toEqual({ status: 'accepted' })
  return scheme.outcome(...payment, [signed])
}

test('SVM-EXACT-078 what other payments of the payer will take is left to them', async () => {
  const offer = offerOf()
  const { scheme } = schemeOf(undefined)
  const payment = await pay(offer, account, { blockhash: await blockhashOf() })
  const left = (await local.balance(PAYER)) - offer.amount
  expect(await scheme.verify(payment, offer, { ...at(), reserved: left })).toEqual({ ok: true, payer: PAYER })
  expect(await scheme.verify(payment, offer, { ...at(), reserved: left + 1n })).toEqual({
    ok: false,
    code: 'invalid_exact_svm_insufficient_balance',
    payer: PAYER,
  })
})

const blockhashOf = () => createSvmRpc({ urls: [local.rpcUrl], network: DEVNET }).latestBlockhash()

describe('Token-2022', () => {
  const MINT = 'FSxJ85FXVsXSr51SeWf9ciJWTcRnqKFSmBgRDeL3KyWw'
  const somebody = new Uint8Array(32).fill(5)
  const nobody = new Uint8Array(32)

  async function paidIn(mint: string, extensions: readonly Extension[], mintPowers: readonly MintPower[] = []) {
    await local.setAccount(mint, mintAccount(extensions))
    await local.fund(PAYER, 5_000n, mint)
    await local.fund(SELLER, 0n, mint)
    const asset: Asset = { network: DEVNET, symbol: 'TOK', address: mint, decimals: 6, transfer: 'spl-2022' }
    const extra = { feePayer: FEE_PAYER }
    const offer = server.offer({ network: DEVNET, asset, amount: 1000n, payTo: SELLER, maxTimeoutSeconds: 60, extra })
    const context = { clock: Date.now, random: (n: number) => new Uint8Array(n).fill(3), maxLifetimeSeconds: 600 }
    const prepared = await client({ account, rpc: local.rpcUrl, assets: [asset] }).prepare(offer, context)
    if (!prepared.ok) throw new TypeError(prepared.code)
    const payload = await prepared.sign()
    const payment = { x402Version: 2, scheme: 'exact', network: DEVNET, accepted: offer, payload } as const
    const served = schemeOf([asset], { mintPowers })
    const verdict = await served.scheme.verify(payment, offer, at())
    return { verdict, settle: () => settle(served, payment, offer) }
  }

  test('a plain mint settles', async () => {
    const { verdict, settle } = await paidIn(MINT, [])
    expect([verdict, await settle()]).toMatchObject([{ ok: true }, { status: 'settled', amount: 1000n, fee: 10_001n }])
    expect(await local.balance(SELLER, MINT)).toBe(1000n)
  })

  const refused = (detail: string) => ({
    ok: false,
    code: 'invalid_exact_svm_mint_extension_not_allowed',
    detail,
    payer: PAYER,
  })
  test.each<[string, Extension, object]>([
    ['SVM-EXACT-050 a fee', transferFee(1_000), refused('transfer-fee')],
    ['SVM-EXACT-050 a fee of nothing', transferFee(0), { ok: true, payer: PAYER }],
    ['SVM-EXACT-050 a fee that is capped at nothing', transferFee(1_000, 0n), { ok: true, payer: PAYER }],
    ['SVM-EXACT-051 a hook', keys(14, somebody, somebody), refused('transfer-hook')],
    ['SVM-EXACT-051 a hook that calls nobody', keys(14, somebody, nobody), { ok: true, payer: PAYER }],
    ['SVM-EXACT-052 a permanent delegate', keys(12, somebody), refused('permanent-delegate')],
    ['SVM-EXACT-052 a pause', { type: 26, data: new Uint8Array(33) }, refused('pausable')],
    ['SVM-EXACT-052 a default state', { type: 6, data: new Uint8Array([1]) }, refused('default-state')],
    ['who may close it', keys(3, somebody), { ok: true, payer: PAYER }],
    ['what it looks like', keys(18, nobody, nobody), { ok: true, payer: PAYER }],
  ])('%s', async (_name, extension, verdict) => {
    expect((await paidIn(MINT, [extension])).verdict).toEqual(verdict)
  })

  test('SVM-EXACT-052 what an issuer can do may be accepted by name, and is for the tokens that everybody knows', async () => {
    expect((await paidIn(MINT, [keys(12, somebody)], ['permanent-delegate'])).verdict).toMatchObject({ ok: true })
    const pyusd = assetByTicker(DEVNET, 'PYUSD')!.address
    expect((await paidIn(pyusd, [keys(12, somebody)])).verdict).toMatchObject({ ok: true })
    expect((await paidIn(pyusd, [transferFee(1)])).verdict).toMatchObject({ detail: 'transfer-fee' })
  })

  test('SVM-EXACT-063 what arrives is what counts, whatever was said before', async () => {
    const { settle } = await paidIn(MINT, [transferFee(1_000)])
    expect(await settle()).toEqual({
      status: 'dead',
      refusal: { ok: false, code: 'invalid_exact_svm_balance_change_mismatch' },
    })
    expect(await local.balance(SELLER, MINT)).toBe(900n)
  })
})

describe('smart wallets', () => {
  // A program that moves tokens in a call of its own and is there on every chain: what lies in a token account of a token account is
  // brought back to its owner, who is payer and recipient in one.
  const usdc = addressBytes('4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU')
  const [payer, sponsor] = [addressBytes(PAYER), addressBytes(FEE_PAYER)]
  const purse = associatedTokenAccount(payer, programs.token, usdc)
  const nested = associatedTokenAccount(purse, programs.token, usdc)
  const wallet = { programs: [formatAddress(programs.associatedToken)] }
  const offer: PaymentRequirements = offerOf({ payTo: PAYER, extra: { features: { smartWalletSupported: true } } })

  const recover: PlannedInstruction = {
    program: programs.associatedToken,
    accounts: [
      { key: nested, writable: true },
      { key: usdc },
      { key: purse, writable: true },
      { key: purse },
      { key: usdc },
      { key: payer, signer: true, writable: true },
      { key: programs.token },
    ],
    data: new Uint8Array([2]),
  }
  const text = memo(new TextEncoder().encode('a memo'))

  async function pay(instructions: readonly PlannedInstruction[], spoil?: (message: Uint8Array) => Uint8Array) {
    const served = schemeOf(undefined, { smartWallets: wallet })
    const blockhash = await served.chain.rpc.latestBlockhash()
    const payment = await payBy(offer, { feePayer: sponsor, instructions, blockhash }, spoil)
    return { served, payment, verdict: await served.scheme.verify(payment, offer, at()) }
  }
  const codeOf = async (...of: Parameters<typeof pay>) => {
    const { verdict } = await pay(...of)
    return verdict.ok ? 'ok' : verdict.code
  }
  beforeEach(() => local.fund(formatAddress(purse), 1000n))

  test('SVM-EXACT-070 nobody looks into them unless told to', async () => {
    const { payment } = await pay([recover, text])
    const plain = offerOf({ payTo: PAYER })
    const { scheme } = schemeOf(undefined)
    expect([
      await scheme.verify(payment, offer, at()),
      server.inspect({ ...payment, accepted: plain }, plain, at()),
      scheme.kinds()[0]?.extra,
    ]).toEqual([
      expect.objectContaining({ code: 'invalid_exact_svm_payload_transaction_instructions_length' }),
      expect.objectContaining({ code: 'invalid_exact_svm_payload_transaction_instructions_length' }),
      { feePayer: FEE_PAYER },
    ])
  })

  test('SVM-EXACT-074, SVM-EXACT-076 one that pays exactly is verified and settled by its effect', async () => {
    const { served, payment, verdict } = await pay([recover, text])
    expect(verdict).toEqual({ ok: true, payer: PAYER })
    expect(server.inspect(payment, offer, at())).toMatchObject({ ok: true, payer: PAYER })
    expect(served.scheme.kinds()[0]?.extra).toEqual({ feePayer: FEE_PAYER, features: { smartWalletSupported: true } })
    const before = await local.balance(PAYER)
    expect(await settle(served, payment, offer)).toMatchObject({ status: 'settled', amount: 1000n, fee: 10_000n })
    expect((await local.balance(PAYER)) - before).toBe(1000n)
  })

  test('SVM-EXACT-074 one that pays more is not', async () => {
    await local.fund(formatAddress(purse), 1n)
    expect(await codeOf([recover, text])).toBe('invalid_exact_svm_smart_wallet_transfer_mismatch')
  })

  test.each<[string, readonly PlannedInstruction[], string]>([
    [
      'SVM-EXACT-074 one that pays nothing',
      [{ ...text, accounts: [{ key: payer, signer: true }] }],
      'invalid_exact_svm_smart_wallet_transfer_mismatch',
    ],
    ['SVM-EXACT-044 one without a memo', [recover], 'invalid_exact_svm_payload_memo_count'],
    [
      'SVM-EXACT-071 another program',
      [recover, text, { program: programs.system, accounts: [], data: new Uint8Array() }],
      'invalid_exact_svm_smart_wallet_program_not_allowed',
    ],
    [
      'SVM-EXACT-071 a heap of its own',
      [{ program: programs.computeBudget, accounts: [], data: new Uint8Array([1, 0, 0, 1, 0]) }, recover, text],
      'invalid_exact_svm_smart_wallet_program_not_allowed',
    ],
    [
      'SVM-EXACT-072 the fee payer in it',
      [{ ...recover, accounts: [...recover.accounts, { key: sponsor }] }, text],
      'invalid_exact_svm_payload_fee_payer_not_isolated',
    ],
    [
      'SVM-EXACT-072 tokens of the fee payer in it',
      [
        { ...recover, accounts: [...recover.accounts, { key: associatedTokenAccount(sponsor, programs.token, usdc) }] },
        text,
      ],
      'invalid_exact_svm_payload_fee_payer_not_isolated',
    ],
    [
      'SVM-EXACT-073 too many units',
      [setComputeUnitLimit(400_001), recover, text],
      'invalid_exact_svm_payload_fee_above_limit',
    ],
    [
      'SVM-EXACT-073 units that are too dear',
      [setComputeUnitPrice(50_001n), recover, text],
      'invalid_exact_svm_payload_fee_above_limit',
    ],
    ['SVM-EXACT-073 a price for two calls without a limit', [setComputeUnitPrice(50_000n), recover, text], 'ok'],
    [
      'SVM-EXACT-073 a price for three',
      [setComputeUnitPrice(1n), recover, text, text],
      'invalid_exact_svm_payload_fee_above_limit',
    ],
    [
      'SVM-EXACT-073 as much as there may be',
      [setComputeUnitLimit(400_000), setComputeUnitPrice(50_000n), recover, text],
      'ok',
    ],
    ['SVM-EXACT-054 one that fails', [recover, recover, text], 'invalid_exact_svm_transaction_simulation_failed'],
  ])('%s', async (_name, instructions, code) => {
    expect(await codeOf(instructions)).toBe(code)
  })

  describe('lookup tables', () => {
    const table = new Uint8Array(32).fill(6)

    async function writeTable(entries: readonly Key[], closing = false) {
      const head = Buffer.alloc(56)
      head.writeUInt32LE(1, 0)
      head.writeBigUInt64LE(closing ? 1n : 2n ** 64n - 1n, 4)
      const owner = formatAddress(programs.addressLookupTable)
      await local.setAccount(formatAddress(table), {
        lamports: 10n ** 9n,
        owner,
        data: Buffer.concat([head, ...entries]),
      })
    }

    /** Adds an account of the table to the last instruction but the memo. */
    const withLookup = (index: number) => (message: Uint8Array) =>
      Uint8Array.of(...message.subarray(0, -1), 1, ...table, 0, 1, index)

    test('SVM-EXACT-072, SVM-EXACT-075 are resolved', async () => {
      await writeTable([programs.system])
      expect(await codeOf([recover, text], withLookup(0))).toBe('ok')
      // Index 7 is the first behind the message's own keys.
      const greedy = { ...recover, accounts: [...recover.accounts, { key: new Uint8Array(32).fill(8) }] }
      await writeTable([sponsor])
      const named = await pay([greedy, text], (message) => lookedUp(message, new Uint8Array(32).fill(8)))
      expect(named.verdict).toMatchObject({ code: 'invalid_exact_svm_payload_fee_payer_not_isolated' })
    })

    test.each<[string, () => Promise<void>]>([
      ['is missing', async () => undefined],
      ['is too short', () => writeTable([])],
      ['is being closed', () => writeTable([programs.system], true)],
    ])('SVM-EXACT-075 a table that %s is refused', async (_name, write) => {
      await write()
      expect(await codeOf([recover, text], withLookup(0))).toBe('invalid_exact_svm_smart_wallet_alt_resolution_failed')
    })

    /** The same message, with a key of its own taken from the table's first place. */
    function lookedUp(message: Uint8Array, key: Uint8Array): Uint8Array {
      const count = message[4] ?? 0
      const keysOf = Array.from({ length: count }, (_, i) => message.subarray(5 + 32 * i, 37 + 32 * i))
      const gone = keysOf.findIndex((each) => Buffer.from(each).equals(Buffer.from(key)))
      const rest = keysOf.filter((_, i) => i !== gone)
      // Every index behind the one that is gone moves down; the one itself becomes the last.
      const moved = (index: number) => (index === gone ? count - 1 : index > gone ? index - 1 : index)
      const body = [...message.subarray(5 + 32 * count + 32, -1)]
      const out = [body[0] ?? 0]
      for (let i = 1; i < body.length; ) {
        const program = body[i++] ?? 0
        const accounts = body[i++] ?? 0
        const indexes = body.slice(i, i + accounts)
        i += accounts
        const length = body[i++] ?? 0
        out.push(moved(program), accounts, ...indexes.map(moved), length, ...body.slice(i, i + length))
        i += length
      }
      const head = [...message.subarray(0, 5)]
      head[3] = (head[3] ?? 0) - 1
      head[4] = count - 1
      const blockhash = message.subarray(5 + 32 * count, 37 + 32 * count)
      return Uint8Array.of(...head, ...rest.flatMap((each) => [...each]), ...blockhash, ...out, 1, ...table, 0, 1, 0)
    }
  })
})
