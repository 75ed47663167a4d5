import { readFile } from 'node:fs/promises'
import { type Facilitator, type PaymentPayload, type PaymentRequirements, systemRandom } from '@groat/core'
import { type SvmChain, startSvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEVNET, partsOf } from '../../testing/payments.js'
import { createSvmRpc, type SvmRpc } from '../rpc.js'
import { addressBytes } from '../wire/address.js'
import { encodeBase64 } from '../wire/base64.js'
import { littleEndian } from '../wire/bytes.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { encodeMessage, encodeTransaction, type PlannedInstruction } from '../wire/message.js'
import { programs } from '../wire/programs.js'
import { type MadeTransfer, type SvmMessageSigner, secretKeyAccount, transferProof } from './client.js'
import { transferProof as seller, withTransferProofs } from './server.js'

let chain: SvmChain
let rpc: SvmRpc
beforeAll(async () => {
  chain = await startSvmChain({ rpcUrl: false, tick: 'off' })
  rpc = createSvmRpc({ urls: [chain.rpcUrl], network: DEVNET })
})
afterAll(() => chain?.stop())

const unasked = async (): Promise<never> => {
  throw new Error('another facilitator was asked')
}
const nobody: Facilitator = {
  verify: unasked,
  settle: unasked,
  supported: async () => ({ kinds: [], extensions: [], signers: {} }),
}
const judge = (commitment: 'confirmed' | 'finalized' = 'confirmed', clock = Date.now) =>
  withTransferProofs(nobody, { chains: { 'solana-devnet': chain.rpcUrl }, commitment, clock })

const usdc = { network: DEVNET, symbol: 'USDC', decimals: 6, transfer: 'spl', currency: 'USD' } as const
const URL_SOLD = 'https://shop.example/report'

function offerOf({ amount = 1000n, payTo = chain.account('seller').address, extra = { audience: 'store-1' } } = {}) {
  const asset = { ...usdc, address: chain.usdc }
  return seller.offer({ network: DEVNET, asset, amount, payTo, maxTimeoutSeconds: 300, extra })
}

const keyOf = (role: 'payer' | 'payer2' | 'facilitator') => secretKeyAccount(chain.account(role).secretKey)

/** A transaction of instructions, paid for by one account and signed by the others too. */
async function land(
  instructions: readonly PlannedInstruction[],
  signers: readonly ('payer' | 'payer2' | 'facilitator')[] = ['payer'],
): Promise<string> {
  const [feePayer = 'payer'] = signers
  const blockhash = addressBytes(await rpc.latestBlockhash())
  const message = encodeMessage({ feePayer: addressBytes(chain.account(feePayer).address), instructions, blockhash })
  const signatures = await Promise.all(signers.map((role) => keyOf(role).sign(message)))
  const sent = await rpc.send(encodeBase64(encodeTransaction(signatures, message)))
  if (!sent.ok) throw new Error(sent.message)
  await chain.step()
  return sent.signature
}

const moveOf = (offer: PaymentRequirements) =>
  partsOf({ ...offer, extra: { feePayer: chain.account('payer').address } }).transfer

const told = (transaction: string, { network, asset, payTo, amount }: PaymentRequirements): MadeTransfer => ({
  ...{ transaction, network, asset, payTo, amount },
})

async function proofOf(
  transaction: string,
  offer: PaymentRequirements,
  { role = 'payer' as 'payer' | 'payer2', now = Date.now(), payload = {} } = {},
): Promise<PaymentPayload> {
  const half = transferProof({ account: keyOf(role), transfers: [told(transaction, offer)] })
  const context = { clock: () => now, random: systemRandom, maxLifetimeSeconds: 300, resource: URL_SOLD }
  const prepared = await half.prepare(offer, context)
  if (!prepared.ok) throw new Error(prepared.code)
  const signed = { ...(await prepared.sign()), ...payload }
  const resource = { url: URL_SOLD }
  return { x402Version: 2, scheme: 'transfer-proof', network: DEVNET, accepted: offer, payload: signed, resource }
}

/** What seller and chain say to a proof, in one word. */
async function verdictOf(payment: PaymentPayload, offer: PaymentRequirements, by = judge()): Promise<string> {
  const inspected = seller.inspect(payment, offer, { now: Date.now() })
  const refusal = inspected.ok ? await seller.vouch?.(payment, offer) : inspected
  if (refusal !== undefined && !('pid' in refusal)) {
    const verdict = await by.verify({ payment, requirements: offer })
    expect(verdict.ok).toBe(false)
    return refusal.code
  }
  const verdict = await by.verify({ payment, requirements: offer })
  return verdict.ok ? 'ok' : verdict.code
}

test('SVM-PROOF-001 SVM-PROOF-006 a transfer that landed is a payment, and its receipt names the token account that grew', async () => {
  const offer = offerOf()
  const transaction = await land([moveOf(offer)])
  const payment = await proofOf(transaction, offer)
  expect(await verdictOf(payment, offer)).toBe('ok')
  expect(await judge().settle({ payment, requirements: offer, resource: { url: URL_SOLD } })).toEqual({
    status: 'settled',
    receipt: {
      payer: chain.account('payer').address,
      network: DEVNET,
      transaction,
      amount: 1000n,
      extra: { logIndex: expect.any(Number) },
    },
  })
  expect(
    await judge().verify({ payment, requirements: offer, resource: { url: 'https://shop.example/else' } }),
  ).toMatchObject({
    code: 'resource_mismatch',
  })
  expect((await judge().supported()).kinds).toEqual([{ x402Version: 2, scheme: 'transfer-proof', network: DEVNET }])
})

test('SVM-PROOF-007 wallets that name no mint, write a memo or set their fees make ordinary transfers too', async () => {
  const offer = offerOf()
  const { limit, price, others, transfer } = partsOf({ ...offer, extra: { feePayer: chain.account('payer').address } })
  const [source, , destination, authority] = transfer.accounts
  if (!source || !destination || !authority) throw new Error('a transfer has accounts')
  const data = Uint8Array.from([3, ...littleEndian(1000n, 8)])
  const plain = { program: programs.token, accounts: [source, destination, authority], data }
  for (const instructions of [[plain], [limit, price, transfer, ...others]]) {
    expect(await verdictOf(await proofOf(await land(instructions), offer), offer)).toBe('ok')
  }
})

test('SVM-PROOF-007 another amount, another recipient, twice in one transaction, one that failed, and no transfer at all are no proof', async () => {
  const offer = offerOf()
  const less = await land([moveOf(offerOf({ amount: 999n }))])
  const elsewhere = await land([moveOf(offerOf({ payTo: chain.account('payer2').address }))])
  const twice = await land([moveOf(offer), moveOf(offer)])
  const back = associatedTokenAccount(
    addressBytes(chain.account('payer').address),
    programs.token,
    addressBytes(chain.usdc),
  )
  const [source, mint, , authority] = moveOf(offer).accounts
  if (!source || !mint || !authority) throw new Error('a transfer has accounts')
  const toMyself = await land([
    { ...moveOf(offer), accounts: [source, mint, { key: back, writable: true }, authority] },
  ])
  const memo = await land(partsOf({ ...offer, extra: { feePayer: chain.account('payer').address } }).others)
  const failed = await land([moveOf(offerOf({ amount: 1n << 60n }))])
  for (const transaction of [less, elsewhere, twice, toMyself, memo]) {
    expect(await verdictOf(await proofOf(transaction, offer), offer)).toBe('transfer_proof_mismatch')
  }
  const huge = offerOf({ amount: 1n << 60n })
  expect(await verdictOf(await proofOf(failed, huge), huge)).toBe('transfer_proof_mismatch')
})

test('SVM-PROOF-007 what a facilitator settled is no proof: somebody else paid for it', async () => {
  const offer = offerOf()
  const settled = await land([moveOf(offer)], ['facilitator', 'payer'])
  expect(await verdictOf(await proofOf(settled, offer), offer)).toBe('transfer_proof_mismatch')
})

test('SVM-PROOF-003 who only saw a transfer on chain gets nothing, and holds nothing up', async () => {
  const offer = offerOf()
  const transaction = await land([moveOf(offer)])
  // Its own signature, on somebody else's transfer.
  expect(await verdictOf(await proofOf(transaction, offer, { role: 'payer2' }), offer)).toBe('transfer_proof_mismatch')
  const stolen = { from: chain.account('payer').address }
  const forged = await proofOf(transaction, offer, { role: 'payer2', payload: stolen })
  expect(await verdictOf(forged, offer)).toBe('invalid_transfer_proof_signature')
  // Good for another store, another resource, another end, another transaction: none of it is what was signed.
  const elsewhere = await proofOf(transaction, offerOf({ extra: { audience: 'store-2' } }))
  expect(await verdictOf(elsewhere, offer)).toBe('invalid_transfer_proof_signature')
  const other = await land([moveOf(offer)])
  for (const payload of [{ validBefore: String(Math.floor(Date.now() / 1000) + 200) }, { transaction: other }]) {
    expect(await verdictOf(await proofOf(transaction, offer, { payload }), offer)).toBe(
      'invalid_transfer_proof_signature',
    )
  }
  const moved = await proofOf(transaction, offer, { payload: { resource: 'https://shop.example/else' } })
  expect(await verdictOf(moved, offer)).toBe('resource_mismatch')
  expect(await verdictOf(await proofOf(transaction, offer), offer)).toBe('ok')
})

test('SVM-PROOF-010 one transfer has one identity, whatever its sender says of it', async () => {
  const offer = offerOf()
  const transaction = await land([moveOf(offer)])
  const pidOf = async (now: number, of = offer) => {
    const inspected = seller.inspect(await proofOf(transaction, of, { now }), of, { now })
    return inspected.ok ? inspected.pid : inspected.code
  }
  const now = Date.now()
  const pids = [
    await pidOf(now),
    await pidOf(now + 5_000),
    await pidOf(now, offerOf({ extra: { audience: 'store-2' } })),
  ]
  expect(new Set(pids).size).toBe(1)
  const again = await proofOf(await land([moveOf(offer)]), offer)
  expect(seller.inspect(again, offer, { now })).not.toMatchObject({ pid: pids[0] })
})

test('SVM-PROOF-008 a transfer that is not there, or not final yet, is no verdict; it is good when its block is', async () => {
  const offer = offerOf()
  const nowhere = await proofOf('5'.repeat(87), offer)
  expect(await judge().settle({ payment: nowhere, requirements: offer })).toMatchObject({ status: 'unknown' })
  expect(await verdictOf(nowhere, offer)).toBe('transfer_proof_not_final')
  const payment = await proofOf(await land([moveOf(offer)]), offer)
  expect(await verdictOf(payment, offer, judge('finalized'))).toBe('transfer_proof_not_final')
  await chain.step(33)
  expect(await verdictOf(payment, offer, judge('finalized'))).toBe('ok')
})

test('SVM-PROOF-005 SVM-PROOF-009 SVM-PROOF-011 a proof has an end, and a transfer of yesterday is none; what was let pass is settled', async () => {
  const offer = offerOf()
  const transaction = await land([moveOf(offer)])
  const now = Date.now()
  const at = async (time: number, presented = time) => {
    const payment = await proofOf(transaction, offer, { now: time })
    return judge('confirmed', () => presented).verify({ payment, requirements: offer })
  }
  expect(await at(now)).toMatchObject({ ok: true })
  expect(await at(now, now + 301_000)).toMatchObject({ code: 'payment_expired' })
  expect(await at(now + 3_600_000, now)).toMatchObject({ code: 'invalid_payload' })
  expect(await at(now + 86_400_000 + 600_000)).toMatchObject({ code: 'transfer_proof_too_old' })
  const payment = await proofOf(transaction, offer, { now })
  const inspected = seller.inspect(payment, offer, { now })
  expect(inspected.ok && inspected.expiresAt).toBeGreaterThanOrEqual(Math.floor(now / 1000) + 86_400)
  // Verified in time, settled late: its claim kept it from being sold again.
  const late = judge('confirmed', () => now + 90_000_000)
  expect(await late.settle({ payment, requirements: offer })).toMatchObject({ status: 'settled' })
})

test('SVM-PROOF-002 SVM-PROOF-004 a signer of messages makes proofs, and presents each transfer for one thing', async () => {
  const offer = offerOf()
  const transaction = await land([moveOf(offer)])
  const key = keyOf('payer')
  const account: SvmMessageSigner = {
    address: key.address,
    signMessages: (messages) =>
      Promise.all(messages.map(async ({ content }) => ({ [key.address]: await key.sign(content) }))),
  }
  const half = transferProof({ account, transfers: async () => [told(transaction, offer)] })
  const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 300 }
  expect(await half.prepare(offer, context)).toMatchObject({ code: 'resource_mismatch' })
  const [first, second] = await Promise.all(
    [URL_SOLD, 'https://shop.example/else'].map((resource) => half.prepare(offer, { ...context, resource })),
  )
  if (!first?.ok || !second?.ok) throw new Error('both were asked for before one was signed')
  const payload = await first.sign()
  const payment = { x402Version: 2, scheme: 'transfer-proof', network: DEVNET, payload } as const
  expect(await verdictOf(payment, offer)).toBe('ok')
  await expect(second.sign()).rejects.toMatchObject({ code: 'signer_failed' })
  expect(await half.prepare(offer, { ...context, resource: 'https://shop.example/else' })).toMatchObject({
    code: 'no_transfer_made',
  })
})

test.each([
  [{ transaction: 'nonsense' }, 'invalid_payload'],
  [{ transaction: '1'.repeat(88) }, 'invalid_payload'],
  [{ from: '1'.repeat(44) }, 'invalid_payload'],
  [{ signature: '1'.repeat(65) }, 'invalid_transfer_proof_signature'],
  [{ validBefore: '99999999999999' }, 'invalid_payload'],
])('SVM-PROOF-003 a payload with %j is %s', async (payload, code) => {
  const offer = offerOf()
  expect(await verdictOf(await proofOf('5'.repeat(87), offer, { payload }), offer)).toBe(code)
})

test('SVM-PROOF-003 the example of the specification is signed as it says', async () => {
  const folder = new URL('../../../../spec/examples/transfer-proof-svm/', import.meta.url)
  const payload = JSON.parse(await readFile(new URL('TransferProofPayload/valid/usual.json', folder), 'utf8'))
  const extra = JSON.parse(await readFile(new URL('TransferProofExtra/valid/usual.json', folder), 'utf8'))
  const offer = offerOf({ extra })
  const payment = { x402Version: 2, scheme: 'transfer-proof', network: DEVNET, payload } as const
  expect(seller.inspect(payment, offer, { now: 1_800_000_000_000 })).toMatchObject({ ok: true })
  expect(await seller.vouch?.(payment, offer)).toBeUndefined()
})

test('SVM-PROOF-001 offers are for tokens and accounts of Solana', () => {
  expect(() => offerOf({ payTo: chain.usdc })).toThrow(expect.objectContaining({ code: 'invalid_pay_to' }))
  expect(() => offerOf({ amount: 0n })).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  expect(() => withTransferProofs(nobody, { chains: { base: 'http://127.0.0.1:1' } })).toThrow(
    expect.objectContaining({ code: 'invalid_network' }),
  )
})
