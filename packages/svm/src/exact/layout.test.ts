import { assetByTicker, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import { arbObject } from '@groat/core/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DEVNET,
  FEE_PAYER,
  FEE_PAYER_KEY,
  offerOf,
  PAYER,
  type Parts,
  partsOf,
  payBy,
  SELLER,
} from '../../testing/payments.js'
import { createSvmChain } from '../chain.js'
import { addressBytes } from '../wire/address.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { setComputeUnitLimit, setComputeUnitPrice } from '../wire/instructions.js'
import type { PlannedInstruction } from '../wire/message.js'
import { programs } from '../wire/programs.js'
import { type ExactSvmFacilitatorOptions, exactSvm } from './facilitator.js'
import { exactSvm as server } from './server.js'

// Whatever the bytes show, no chain is asked: nobody answers at this address.

const SECOND_FEE_PAYER = 'J2xccRtuG43drESLYznHhLhQkLTdfepcKYbiQ9BsJVaf'
const SECOND_KEY = 'BUguQsv2ZuHus54HAFzjdJHzZBkygAjKhEeYwSG19tUwuftFhkkkEFDzcow9XDkfD3qGi1Yb3LV15ufdrKJ226T'
const chain = createSvmChain({ network: DEVNET, rpc: 'http://127.0.0.1:9', signers: [FEE_PAYER_KEY, SECOND_KEY] })
const offer = offerOf()
const usual = partsOf(offer)
const now = { now: 1_750_000_000_000 }

const schemeOf = (options: Partial<ExactSvmFacilitatorOptions> = {}) => exactSvm({ chains: [chain], ...options })
const scheme = schemeOf()
const build = ({ feePayer, limit, price, transfer, others }: Parts, version?: 'legacy' | 0) =>
  payBy(offer, {
    feePayer,
    instructions: [limit, price, transfer, ...others],
    ...(version === undefined ? {} : { version }),
  })
const codeOf = (payment: PaymentPayload, terms = offer, by = scheme) => {
  const inspection = by.inspect(payment, terms, now)
  return inspection.ok ? 'ok' : inspection.code
}
const p = (name: string) => `invalid_exact_svm_payload_${name}`

const [source, mint, destination, authority] = usual.transfer.accounts
const withAccounts = (...accounts: PlannedInstruction['accounts']): PlannedInstruction => ({
  ...usual.transfer,
  accounts,
})
const lighthouse = (opcode: number, ...accounts: PlannedInstruction['accounts']): PlannedInstruction => ({
  program: programs.lighthouse,
  accounts,
  data: new Uint8Array([opcode, 0]),
})
const [text] = usual.others as [PlannedInstruction]
const sponsor = addressBytes(FEE_PAYER)
const second = addressBytes(SECOND_FEE_PAYER)
const ours = (key: Uint8Array) => ({ key: associatedTokenAccount(key, programs.token, mint!.key), writable: true })

test('a good payment has the identity of its message, whatever stands in the first slot', async () => {
  const payment = await build(usual)
  const good = scheme.inspect(payment, offer, now)
  expect(good).toEqual({
    ok: true,
    pid: expect.stringMatching(/^[0-9a-f]{64}$/),
    payer: PAYER,
    expiresAt: 1_750_000_120,
  })
  const bytes = Buffer.from(String(payment.payload.transaction), 'base64')
  bytes.fill(9, 1, 65)
  const scribbled = { ...payment, payload: { transaction: bytes.toString('base64') } }
  expect(scheme.inspect(scribbled, offer, now)).toEqual(good)
  expect(server.inspect(scribbled, offer, now)).toEqual(good)
})

describe.each<[string, Partial<Parts>, string]>([
  ['SVM-EXACT-030 another fee payer', { feePayer: second }, 'invalid_exact_svm_fee_payer_mismatch'],
  [
    'SVM-EXACT-034 a price for the limit',
    { limit: setComputeUnitPrice(1n) },
    p('transaction_instructions_compute_limit_instruction'),
  ],
  [
    'SVM-EXACT-034 a limit of four bytes',
    { limit: { ...usual.limit, data: usual.limit.data.subarray(0, 4) } },
    p('transaction_instructions_compute_limit_instruction'),
  ],
  [
    'SVM-EXACT-034 a limit of another program',
    { limit: { ...usual.limit, program: programs.memo } },
    p('transaction_instructions_compute_limit_instruction'),
  ],
  [
    'SVM-EXACT-035 a limit for the price',
    { price: setComputeUnitLimit(1) },
    p('transaction_instructions_compute_price_instruction'),
  ],
  [
    'SVM-EXACT-036 a price that nobody pays',
    { price: setComputeUnitPrice(5_000_001n) },
    p('transaction_instructions_compute_price_instruction_too_high'),
  ],
  [
    'SVM-EXACT-037 a transfer of another program',
    { transfer: { ...usual.transfer, program: programs.system } },
    p('no_transfer_instruction'),
  ],
  [
    'SVM-EXACT-037 nine bytes',
    { transfer: { ...usual.transfer, data: usual.transfer.data.subarray(0, 9) } },
    p('no_transfer_instruction'),
  ],
  [
    'SVM-EXACT-037 three accounts',
    { transfer: withAccounts(source!, mint!, destination!) },
    p('no_transfer_instruction'),
  ],
  [
    'SVM-EXACT-037 a fifth account',
    { transfer: withAccounts(source!, mint!, destination!, authority!, { key: programs.system }) },
    p('no_transfer_instruction'),
  ],
  [
    'SVM-EXACT-038 an authority that does not sign',
    { transfer: withAccounts(source!, mint!, destination!, { key: authority!.key }) },
    p('signature_invalid'),
  ],
  [
    'SVM-EXACT-032 the fee payer’s own tokens',
    { transfer: withAccounts(ours(sponsor), mint!, destination!, authority!) },
    p('transaction_fee_payer_transferring_funds'),
  ],
  [
    'SVM-EXACT-032 the fee payer as authority',
    { transfer: withAccounts(source!, mint!, destination!, { key: sponsor, signer: true }) },
    p('transaction_fee_payer_transferring_funds'),
  ],
  [
    'SVM-EXACT-033 the fee payer behind the transfer',
    { transfer: withAccounts(source!, mint!, destination!, authority!, { key: sponsor }) },
    p('fee_payer_not_isolated'),
  ],
  [
    'SVM-EXACT-033 the fee payer in a budget',
    { price: { ...usual.price, accounts: [{ key: sponsor }] } },
    p('fee_payer_not_isolated'),
  ],
  [
    'SVM-EXACT-039 another mint',
    { transfer: withAccounts(source!, { key: programs.memo }, destination!, authority!) },
    p('mint_mismatch'),
  ],
  [
    'SVM-EXACT-040 the account under the other program',
    { transfer: { ...usual.transfer, program: programs.token2022 } },
    p('recipient_mismatch'),
  ],
  [
    'SVM-EXACT-043 a memo that somebody signs',
    { others: [{ ...text, accounts: [{ key: authority!.key, signer: true }] }] },
    p('unknown_fourth_instruction'),
  ],
  ['SVM-EXACT-043 memory that is written', { others: [text, lighthouse(0, source!)] }, p('unknown_fifth_instruction')],
  [
    'SVM-EXACT-043 memory that is closed',
    { others: [text, text, lighthouse(1, source!)] },
    p('unknown_sixth_instruction'),
  ],
  [
    'SVM-EXACT-043 a call into a tree',
    { others: [text, text, text, lighthouse(16, source!)] },
    p('unknown_seventh_instruction'),
  ],
  [
    'SVM-EXACT-043 an assertion of nothing',
    { others: [{ ...lighthouse(0), data: new Uint8Array() }] },
    p('unknown_fourth_instruction'),
  ],
  [
    'SVM-EXACT-043 any assertion',
    { others: [text, lighthouse(2, source!), lighthouse(15, { key: addressBytes(PAYER) })] },
    'ok',
  ],
  [
    'SVM-EXACT-031 an eighth instruction',
    { others: [text, text, text, text, text] },
    p('transaction_instructions_length'),
  ],
])('%s', (_name, changes, code) => {
  test('is refused by seller and facilitator alike', async () => {
    const payment = await build({ ...usual, ...changes })
    expect([codeOf(payment), server.inspect(payment, offer, now)]).toEqual([
      code,
      expect.objectContaining(code === 'ok' ? { ok: true } : { ok: false, code }),
    ])
  })
})

describe.each<[string, Partial<Parts>, string]>([
  [
    'SVM-EXACT-032 tokens of another account that pays fees',
    { transfer: withAccounts(ours(second), mint!, destination!, authority!) },
    p('transaction_fee_payer_transferring_funds'),
  ],
  [
    'SVM-EXACT-033 another account that pays fees',
    { others: [text, lighthouse(2, { key: second })] },
    p('fee_payer_not_isolated'),
  ],
  ['SVM-EXACT-044 no memo', { others: [] }, p('memo_count')],
  ['SVM-EXACT-044 two memos, which nobody asked for', { others: [text, text] }, 'ok'],
  [
    'SVM-EXACT-047 more units than are allowed',
    { limit: setComputeUnitLimit(200_001) },
    p('transaction_instructions_compute_limit_instruction_too_high'),
  ],
  ['SVM-EXACT-047 as many as are allowed', { limit: setComputeUnitLimit(200_000) }, 'ok'],
  ['SVM-EXACT-048 the most that is allowed', { price: setComputeUnitPrice(2_000_000n) }, 'ok'],
  ['SVM-EXACT-048 a lamport more', { price: setComputeUnitPrice(2_000_001n) }, p('fee_above_limit')],
])('%s', (_name, changes, code) => {
  test('is for the facilitator to judge', async () => {
    const payment = await build({ ...usual, ...changes })
    expect([codeOf(payment), server.inspect(payment, offer, now).ok]).toEqual([code, true])
  })
})

describe('what an operator may say', () => {
  test('SVM-EXACT-044 a memo may be waived', async () => {
    expect(codeOf(await build({ ...usual, others: [] }), offer, schemeOf({ requireMemo: false }))).toBe('ok')
  })

  test('SVM-EXACT-048 what is worth more may cost more', async () => {
    const dear = await build({ ...usual, price: setComputeUnitPrice(5_000_000n) })
    const by = (fees: ExactSvmFacilitatorOptions['fees'] & object) => codeOf(dear, offer, schemeOf({ fees }))
    expect([
      by({ lamports: 109_999n }),
      by({ lamports: 110_000n }),
      // 0.001 of a unit.
      by({ lamportsPerUnit: 109_999_999n }),
      by({ lamportsPerUnit: 110_000_000n }),
      by({ lamports: 110_000n, computeUnits: 19_999 }),
    ]).toEqual([
      p('fee_above_limit'),
      'ok',
      p('fee_above_limit'),
      'ok',
      p('transaction_instructions_compute_limit_instruction_too_high'),
    ])
  })

  test('SVM-EXACT-049 only the tokens that are accepted', async () => {
    const usdc = { ...assetByTicker(DEVNET, 'USDC')!, address: SELLER }
    const picky = createSvmChain({
      network: DEVNET,
      rpc: 'http://127.0.0.1:9',
      signers: [FEE_PAYER_KEY],
      assets: [usdc],
    })
    const payment = await build(usual)
    expect(codeOf(payment, offer, exactSvm({ chains: [picky] }))).toBe('asset_not_allowed')
    // Another may have settled it.
    expect(exactSvm({ chains: [picky] }).inspect(payment, offer, now)).toMatchObject({ late: { ok: true } })
  })
})

describe('the message', () => {
  test('SVM-EXACT-027 may be legacy, and is another payment then', async () => {
    const [legacy, newer] = [await build(usual, 'legacy'), await build(usual, 0)]
    const pids = [legacy, newer].map((payment) => scheme.inspect(payment, offer, now))
    expect(pids).toEqual([expect.objectContaining({ ok: true }), expect.objectContaining({ ok: true })])
    expect(pids[0]).not.toEqual(pids[1])
  })

  test('SVM-EXACT-028 takes no account from a table', async () => {
    const plan = { feePayer: usual.feePayer, instructions: [usual.limit, usual.price, usual.transfer, text] }
    const payment = await payBy(offer, plan, (message) =>
      Uint8Array.of(...message.subarray(0, -1), 1, ...new Uint8Array(32).fill(5), 1, 0, 0),
    )
    expect(codeOf(payment)).toBe(p('lookup_table'))
  })

  test('SVM-EXACT-029 has two signers', async () => {
    const third = { ...usual, others: [{ ...text, accounts: [{ key: addressBytes(SELLER), signer: true }] }] }
    expect(codeOf(await build(third))).toBe(p('excessive_signers'))
  })

  test.each<[string, unknown, string]>([
    ['SVM-EXACT-026 nothing', '', p('transaction_could_not_be_decoded')],
    ['SVM-EXACT-026 white space in it', 'AQ ID', p('transaction_could_not_be_decoded')],
    ['SVM-EXACT-026 megabytes', 'A'.repeat(4_000_000), p('transaction_could_not_be_decoded')],
    ['SVM-EXACT-026 one byte', 'AA==', p('transaction_could_not_be_decoded')],
    ['no text at all', 7, 'invalid_payload'],
  ])('%s is no transaction', (_name, transaction, code) => {
    const payment = { x402Version: 2, scheme: 'exact', network: DEVNET, accepted: offer } as const
    expect(codeOf({ ...payment, payload: { transaction: transaction as string } })).toBe(code)
  })
})

describe('terms', () => {
  const other = (changes: Partial<PaymentRequirements>) => ({ ...offer, ...changes })
  test.each<[string, Partial<PaymentPayload>, PaymentRequirements, string]>([
    ['SVM-EXACT-020 another scheme', { scheme: 'upto' }, offer, 'invalid_exact_svm_unsupported_scheme'],
    [
      'SVM-EXACT-020 an echo of another',
      { accepted: other({ scheme: 'upto' }) },
      offer,
      'invalid_exact_svm_unsupported_scheme',
    ],
    [
      'SVM-EXACT-083 another network',
      { network: offerOf({ network: DEVNET }).network.replace('Et', 'Eu') as typeof DEVNET },
      offer,
      'invalid_exact_svm_network_mismatch',
    ],
    ['an echo of another amount', { accepted: other({ amount: 1n }) }, offer, 'no_matching_requirements'],
    ['an echo of another recipient', { accepted: other({ payTo: PAYER }) }, offer, 'no_matching_requirements'],
    [
      'an asset that is no address',
      { accepted: other({ asset: 'USDC' }) },
      other({ asset: 'USDC' }),
      'invalid_payment_requirements',
    ],
    [
      'SVM-EXACT-023 a stranger’s fee payer',
      {},
      other({ extra: { feePayer: SELLER } }),
      'invalid_exact_svm_fee_payer_not_managed_by_facilitator',
    ],
    ['SVM-EXACT-022 no fee payer', {}, other({ extra: {} }), 'invalid_exact_svm_payload_missing_fee_payer'],
    [
      'SVM-EXACT-045 a memo that was asked for and is another',
      {},
      other({ extra: { feePayer: FEE_PAYER, memo: 'b memo' } }),
      p('memo_mismatch'),
    ],
    ['SVM-EXACT-046 the memo that was asked for', {}, other({ extra: { feePayer: FEE_PAYER, memo: 'a memo' } }), 'ok'],
    [
      'SVM-EXACT-041 another amount on both sides',
      { accepted: other({ amount: 999n }) },
      other({ amount: 999n }),
      p('amount_mismatch'),
    ],
    [
      'SVM-EXACT-006 a negative amount',
      { accepted: other({ amount: -1n }) },
      other({ amount: -1n }),
      'invalid_payment_requirements',
    ],
  ])('%s', async (_name, changes, terms, code) => {
    expect(codeOf({ ...(await build(usual)), ...changes }, terms)).toBe(code)
  })

  test('members that nobody knows change nothing', async () => {
    const payment = await build(usual)
    fc.assert(
      fc.property(arbObject, (more) => {
        const changed = { ...payment, payload: { ...more, ...payment.payload } }
        expect(scheme.inspect(changed, offer, now)).toEqual(scheme.inspect(payment, offer, now))
      }),
    )
  })
})

test('SVM-EXACT-026 whatever is changed in a message, it is refused or another payment, and nothing throws', async () => {
  const payment = await build(usual)
  const good = scheme.inspect(payment, offer, now)
  const bytes = Buffer.from(String(payment.payload.transaction), 'base64')
  const spoilt = fc.tuple(fc.integer({ min: 65, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(spoilt, ([at, mask]) => {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ mask
      const read = scheme.inspect({ ...payment, payload: { transaction: copy.toString('base64') } }, offer, now)
      // From here on stands the message; before it the signature, which is looked at later.
      if (at >= 129 && read.ok) expect(read).not.toEqual(good)
    }),
    { numRuns: 1_000 },
  )
})
