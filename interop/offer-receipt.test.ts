import { decodeChallenge } from '@groat/core'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { signedReceipts, verifiedOffer } from '@groat/extensions/offer-receipt/client'
import { signedOffers, typedDataIssuer } from '@groat/extensions/offer-receipt/server'
import {
  createEIP712OfferReceiptIssuer,
  createOfferReceiptExtension,
  declareOfferReceiptExtension,
  extractOffersFromPaymentRequired,
  extractReceiptFromResponse,
  verifyOfferSignatureEIP712,
  verifyReceiptMatchesOffer,
  verifyReceiptSignatureEIP712,
} from '@x402/extensions/offer-receipt'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { useExtensions } from './extensions-kit.js'

const market = useExtensions()
const KEY = `0x${'11'.repeat(32)}` as const
const signer = privateKeyAccount(KEY)

test('EXT-OFFER-001 EXT-OFFER-019 what our seller signs is verified by the official library', async () => {
  const shop = await market.ourShop(() => [signedOffers({ issuer: typedDataIssuer(signer) })], {
    price: '$0.001',
    extensions: { 'offer-receipt': true },
  })
  const unpaid = await fetch(shop.url)
  const [offer] = extractOffersFromPaymentRequired(JSON.parse(atob(unpaid.headers.get('payment-required') ?? '')))
  const verified = await verifyOfferSignatureEIP712(offer as never)
  expect(verified.signer.toLowerCase()).toBe(signer.address)
  const answer = await market.officialBuyer()(shop.url)
  const receipt = extractReceiptFromResponse(answer)
  expect((await verifyReceiptSignatureEIP712(receipt as never)).signer.toLowerCase()).toBe(signer.address)
  expect(verifyReceiptMatchesOffer(receipt as never, verified.payload as never, [market.account().address])).toBe(true)
})

test('EXT-OFFER-020 what the official server signs is verified by our payer', async () => {
  const account = privateKeyToAccount(KEY)
  const issuer = createEIP712OfferReceiptIssuer(`did:pkh:eip155:1:${account.address}#key`, (data) =>
    account.signTypedData(data as never),
  )
  const shop = await market.officialShop(declareOfferReceiptExtension({ includeTxHash: true }), (server) => {
    server.registerExtension(createOfferReceiptExtension(issuer) as never)
  })
  const unpaid = await fetch(shop.url)
  const challenge = decodeChallenge((name) => unpaid.headers.get(name))
  if (!challenge?.ok) throw new Error('no challenge')
  const [offer] = challenge.value.accepts
  const trusted = [signer.address]
  expect(await verifiedOffer(challenge.value, offer!, { trusted, now: Date.now() / 1000 })).toMatchObject({ ok: true })
  for (const [believed, flaws] of [
    [trusted, undefined],
    [[], { 'offer-receipt': 'receipt_signer_not_authorized' }],
  ] as const) {
    const buyer = market.ourBuyer({ extensions: [signedReceipts({ trusted: believed })] })
    const answer = await buyer.fetch(shop.url)
    expect([answer.status, buyer.outcome(answer)?.status, buyer.receipt(answer)?.flaws]).toEqual([
      200,
      'settled',
      flaws,
    ])
  }
})
