import { network } from '@groat/core'
import { expect, test } from 'vitest'
import { plainHeaders } from './server.js'

const offer = {
  scheme: 'exact',
  network: network('base-sepolia'),
  amount: 1000n,
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: `0x${'11'.repeat(20)}`,
  maxTimeoutSeconds: 60,
  extra: { name: 'USDC', version: '2' },
}
const good = {
  'x-payment-signature': `0x${'ab'.repeat(65)}`,
  'x-payment-amount': '1000',
  'x-payment-asset': offer.asset,
  'x-payment-network': 'base-sepolia',
  'x-payment-nonce': `0x${'01'.repeat(32)}`,
  'x-payment-payer': `0x${'22'.repeat(20)}`,
  'x-payment-valid-before': '1900000000',
}

const read = (headers: Readonly<Record<string, string>>, offers = [offer]) =>
  plainHeaders.read((name) => headers[name], { resource: { url: 'https://shop.example/' }, offers })

test('PLAIN-005 a payment that answers no offer is told which of its headers is not what was offered', () => {
  const refused = (detail?: string) => ({ ok: false, code: 'no_matching_requirements', ...(detail && { detail }) })
  expect(read(good)).toMatchObject({ ok: true })
  const other = (header: string, value: string) => read({ ...good, [header.toLowerCase()]: value })
  for (const [header, value] of [
    ['X-Payment-Amount', '1001'],
    ['X-Payment-Asset', offer.payTo],
    ['X-Payment-Network', 'base'],
    ['X-Payment-Network', 'no network'],
  ] as const) {
    expect(other(header, value)).toEqual(refused(`${header} is not what was offered`))
  }
  expect(read(good, [])).toEqual(refused())
  const proof = { ...good, 'x-payment-hash': `0x${'cd'.repeat(32)}` }
  expect(read(proof)).toEqual(refused())
  expect(read({ ...proof, 'x-payment-network': 'base' }, [{ ...offer, scheme: 'transfer-proof' }])).toEqual(
    refused('X-Payment-Network is not what was offered'),
  )
})
