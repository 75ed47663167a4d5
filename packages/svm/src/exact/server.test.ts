import { assetByTicker, defaultAssets, network } from '@groat/core'
import { expect, test } from 'vitest'
import { DEVNET, FEE_PAYER, offerOf, PAYER_KEY, pay, SELLER } from '../../testing/payments.js'
import { secretKeyAccount } from './client.js'
import { exactSvm } from './server.js'

const asset = assetByTicker(DEVNET, 'USDC')!
const kind = { x402Version: 2, scheme: 'exact', network: DEVNET, extra: { feePayer: FEE_PAYER } } as const
const terms = { network: DEVNET, asset, amount: 1000n, payTo: SELLER, maxTimeoutSeconds: 60, kind }
const with_ = (changes: object) => exactSvm.offer({ ...terms, ...changes })

test('SVM-EXACT-001, SVM-EXACT-002, SVM-EXACT-003 an offer names mint, recipient and who pays the fee', () => {
  expect(exactSvm.offer(terms)).toEqual({
    scheme: 'exact',
    network: DEVNET,
    amount: 1000n,
    asset: '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU',
    payTo: SELLER,
    maxTimeoutSeconds: 60,
    extra: { feePayer: FEE_PAYER },
  })
})

test('who pays the fee may be named by the seller, and is open until the facilitator is known', () => {
  expect(with_({ extra: { memo: 'order-7', feePayer: SELLER } }).extra).toEqual({ memo: 'order-7', feePayer: SELLER })
  expect(with_({ kind: undefined }).extra).toEqual({})
  const features = { smartWalletSupported: true }
  expect(with_({ kind: { ...kind, extra: { feePayer: FEE_PAYER, features } } }).extra).toEqual({
    features,
    feePayer: FEE_PAYER,
  })
})

test('SVM-EXACT-005 no offer promises more time than a blockhash has', () => {
  expect([15, 60, 300].map((maxTimeoutSeconds) => with_({ maxTimeoutSeconds }).maxTimeoutSeconds)).toEqual([15, 60, 60])
})

test('every default asset can be asked for', () => {
  for (const on of ['solana', 'solana-devnet', 'solana-testnet'].map(network)) {
    for (const each of defaultAssets(on)) expect(with_({ network: on, asset: each }).asset).toBe(each.address)
  }
})

test.each<[string, object, string]>([
  ['a recipient that is no address', { payTo: 'seller.sol' }, 'invalid_pay_to'],
  ['the mint itself', { payTo: asset.address }, 'invalid_pay_to'],
  ['a chain that is no Solana chain', { network: network('base') }, 'invalid_network'],
  ['a token without an address', { asset: { ...asset, address: 'USDC' } }, 'unknown_asset'],
  ['a token of another kind', { asset: { ...asset, transfer: 'eip3009' } }, 'unsupported_transfer_method'],
  ['a facilitator that pays no fees', { kind: { ...kind, extra: {} } }, 'unsupported_offer'],
  ['too little time', { maxTimeoutSeconds: 14 }, 'invalid_config'],
  ['no time', { maxTimeoutSeconds: Number.NaN }, 'invalid_config'],
  ['SVM-EXACT-004 a memo that is none', { extra: { memo: '' } }, 'invalid_config'],
])('an offer to pay %s fails at start', (_name, changes, code) => {
  expect(() => with_(changes)).toThrow(expect.objectContaining({ name: 'X402Error', code }))
})

test('what the seller offers, the seller reads', async () => {
  const offer = offerOf()
  const payment = await pay(offer, secretKeyAccount(PAYER_KEY))
  expect(exactSvm.inspect(payment, offer, { now: Date.now() })).toMatchObject({ ok: true })
})
