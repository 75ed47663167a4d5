import { assetByTicker, defaultAssets, network, requirementsId } from '@groat/core'
import { expect, test } from 'vitest'
import { PAYER_KEY, pay, SELLER } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { exactEvm } from './server.js'

const base = network('base')
const terms = { network: base, asset: assetByTicker(base, 'USD')!, amount: 1000n, payTo: SELLER, maxTimeoutSeconds: 60 }
const with_ = (changes: object) => exactEvm.offer({ ...terms, ...changes })

test('EVM-EXACT-001 to 004 an offer names token, recipient and the token’s own domain', () => {
  expect(exactEvm.offer({ ...terms, payTo: SELLER.toLowerCase() })).toEqual({
    scheme: 'exact',
    network: 'eip155:8453',
    amount: 1000n,
    asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
    payTo: SELLER,
    maxTimeoutSeconds: 60,
    extra: { name: 'USD Coin', version: '2' },
  })
  expect(with_({ extra: { hint: 'x', name: 'Wrong' } }).extra).toEqual({ hint: 'x', name: 'USD Coin', version: '2' })
})

test('every default asset that is moved by EIP-3009 can be asked for', () => {
  for (const chain of ['base', 'base-sepolia', 'ethereum', 'avalanche', 'polygon', 'celo', 'eip155:42161'].map(
    network,
  )) {
    for (const asset of defaultAssets(chain)) expect(with_({ network: chain, asset }).network).toBe(chain)
  }
})

test.each<[string, object, string]>([
  ['a recipient that is no address', { payTo: 'seller.eth' }, 'invalid_pay_to'],
  ['nobody', { payTo: `0x${'0'.repeat(40)}` }, 'invalid_pay_to'],
  ['the token itself', { payTo: terms.asset.address.toLowerCase() }, 'invalid_pay_to'],
  ['a chain that is no EVM chain', { network: network('solana') }, 'invalid_network'],
  ['a token without a domain', { asset: { ...terms.asset, domain: undefined } }, 'unknown_asset'],
  ['a token without an address', { asset: { ...terms.asset, address: 'USDC' } }, 'unknown_asset'],
  ['a token of another method', { asset: { ...terms.asset, transfer: 'spl' } }, 'unsupported_transfer_method'],
  ['another method', { extra: { assetTransferMethod: 'permit3' } }, 'unsupported_transfer_method'],
  ['nothing', { amount: 0n }, 'invalid_config'],
  ['too little time', { maxTimeoutSeconds: 14 }, 'invalid_config'],
  ['no time', { maxTimeoutSeconds: Number.NaN }, 'invalid_config'],
])('an offer to pay %s fails at start', (_name, changes, code) => {
  expect(() => with_(changes)).toThrow(expect.objectContaining({ name: 'X402Error', code }))
})

test('what the seller offers, the seller reads', async () => {
  const offer = exactEvm.offer({
    ...terms,
    network: network('base-sepolia'),
    asset: assetByTicker(network('base-sepolia'), 'USD')!,
  })
  const payment = await pay(offer, privateKeyAccount(PAYER_KEY))
  expect(exactEvm.inspect(payment, offer, { now: Date.now() })).toMatchObject({ ok: true })
  expect(requirementsId(offer)).toBe(requirementsId({ ...offer, payTo: offer.payTo.toLowerCase() }))
})
