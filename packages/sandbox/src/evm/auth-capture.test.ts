import { readFile } from 'node:fs/promises'
import { type Address, type Hex, parseAbi, zeroAddress, zeroHash } from 'viem'
import { expect, test } from 'vitest'
import { type Contract, eventsOf, useContracts } from '../../test/contract.js'
import { usdc, useChain } from '../../test/kit.js'
import { useSignatures } from '../../test/sign.js'
import { deployHostileToken, deployWalletFactory, evmContracts } from '../index.js'

const on = useChain()
const { account, approvePermit2, read, refusal, send } = useContracts(on)
const signed = useSignatures(on)
const vectors = JSON.parse(await readFile(new URL('../../test/vectors.json', import.meta.url), 'utf8'))
const escrow: Contract = evmContracts.authCaptureEscrow
const byEip3009 = evmContracts.authCaptureEip3009Collector.address
const byPermit2 = evmContracts.authCapturePermit2Collector.address
const byOperator = evmContracts.authCaptureRefundCollector.address

test('payments have the published identity, and the published signatures pay', async () => {
  const terms = {
    ...payment(),
    maxAmount: 1_000_000n,
    preApprovalExpiry: 2_000_000_000,
    authorizationExpiry: 2_000_100_000,
    refundExpiry: 2_000_200_000,
    minFeeBps: 100,
    salt: BigInt(vectors.auth_capture.boundSalt),
  }
  expect({
    payer: await read(escrow, 'getHash', [terms]),
    agnostic: await read(escrow, 'getHash', [{ ...terms, payer: zeroAddress }]),
    unbound: await read(escrow, 'getHash', [{ ...terms, payer: zeroAddress, salt: BigInt(`0x${'66'.repeat(32)}`) }]),
  }).toEqual({
    payer: vectors.auth_capture.bound_paymentInfoHash_realPayer,
    agnostic: vectors.auth_capture.bound_signatureNonce,
    unbound: vectors.auth_capture.unbound_signatureNonce,
  })
  await approvePermit2('payer')
  const attempt = (collector: Address, signature: Hex) =>
    refusal('facilitator', escrow, 'authorize', [terms, 1_000_000n, collector, signature])
  expect([
    await attempt(byEip3009, vectors.auth_capture_eip3009_bound.signature),
    await attempt(byPermit2, vectors.auth_capture_permit2_bound.signature),
  ]).toEqual(['nothing', 'nothing'])
})

test('a hold is captured in parts, the rest is voided, and a capture is refunded', async () => {
  const terms = payment()
  const hash = await read(escrow, 'getHash', [terms])
  const held = await send('facilitator', escrow, 'authorize', [terms, 10_000n, byEip3009, await byAuthorization(terms)])
  expect(eventsOf(held, escrow.address)).toEqual([
    ['PaymentAuthorized', { paymentInfoHash: hash, paymentInfo: terms, amount: 10_000n, tokenCollector: byEip3009 }],
  ])
  expect(await read(escrow, 'paymentState', [hash])).toEqual([true, 10_000n, 0n])
  const store = (await read(escrow, 'getTokenStore', [account('facilitator')])) as Address
  expect(await on.chain.balance(store)).toBe(10_000n)

  const first = await send('facilitator', escrow, 'capture', [terms, 4_000n, 40n, account('facilitator')])
  await send('facilitator', escrow, 'capture', [terms, 1_000n, 0n, account('facilitator')])
  expect(eventsOf(first, escrow.address).map(([name]) => name)).toEqual(['TokenStoreCreated', 'PaymentCaptured'])
  expect(await read(escrow, 'paymentState', [hash])).toEqual([true, 5_000n, 5_000n])

  const voided = await send('facilitator', escrow, 'void', [terms])
  expect(eventsOf(voided, escrow.address)).toEqual([['PaymentVoided', { paymentInfoHash: hash, amount: 5_000n }]])
  await on.chain.fund(account('facilitator'), 2_000n)
  await send('facilitator', usdc, 'approve', [byOperator, 2_000n])
  const refunded = await send('facilitator', escrow, 'refund', [terms, 2_000n, byOperator, '0x'])
  expect(eventsOf(refunded, escrow.address)).toEqual([
    ['PaymentRefunded', { paymentInfoHash: hash, amount: 2_000n, tokenCollector: byOperator }],
  ])
  expect({
    state: await read(escrow, 'paymentState', [hash]),
    payer: await on.chain.balance(account('payer')),
    seller: await on.chain.balance(account('seller')),
    fee: await on.chain.balance(account('facilitator')),
    store: await on.chain.balance(store),
  }).toEqual({
    state: [true, 0n, 3_000n],
    payer: 1_000_000_000n - 3_000n,
    seller: 4_960n,
    fee: 40n,
    store: 0n,
  })
})

test('a charge pays at once; what is not charged stays with the payer', async () => {
  await approvePermit2('payer')
  for (const [salt, collector] of [
    [1n, byEip3009],
    [2n, byPermit2],
  ] as const) {
    const terms = payment({ salt })
    const data = collector === byPermit2 ? await byPermit(terms) : await byAuthorization(terms)
    const args = [terms, 6_000n, collector, data, 60n, account('facilitator')]
    const charged = await send('facilitator', escrow, 'charge', args)
    expect(eventsOf(charged, escrow.address).at(-1)).toMatchObject([
      'PaymentCharged',
      { amount: 6_000n, feeAmount: 60n },
    ])
    expect(await refusal('facilitator', escrow, 'charge', args)).toBe('PaymentAlreadyCollected')
  }
  expect([await on.chain.balance(account('payer')), await on.chain.balance(account('seller'))]).toEqual([
    1_000_000_000n - 12_000n,
    11_880n,
  ])
})

test('the operator and the terms rule', async () => {
  const now = await on.chain.now()
  const attempt = async (change: Partial<Payment>, amount = 10_000n, collector: Address = byEip3009) => {
    const terms = payment(change)
    return refusal('facilitator', escrow, 'authorize', [terms, amount, collector, await byAuthorization(terms)])
  }
  const terms = payment()
  const data = await byAuthorization(terms)
  expect({
    stranger: await refusal('payer3', escrow, 'authorize', [terms, 10_000n, byEip3009, data]),
    zero: await attempt({}, 0n),
    huge: await attempt({}, 2n ** 120n),
    more: await attempt({}, 10_001n),
    late: await attempt({ preApprovalExpiry: now - 10 }),
    order: await attempt({ authorizationExpiry: 1_999_999_999 }),
    refundOrder: await attempt({ refundExpiry: 2_000_000_000 }),
    fee: await attempt({ maxFeeBps: 10_001 }),
    fees: await attempt({ minFeeBps: 200 }),
    collector: await attempt({}, 10_000n, byOperator),
    receiver: await refusal('facilitator', escrow, 'authorize', [
      { ...terms, receiver: account('payer3') },
      10_000n,
      byEip3009,
      data,
    ]),
    right: await attempt({}),
  }).toEqual({
    stranger: 'InvalidSender',
    zero: 'ZeroAmount',
    huge: 'AmountOverflow',
    more: 'ExceedsMaxAmount',
    late: 'AfterPreApprovalExpiry',
    order: 'InvalidExpiries',
    refundOrder: 'InvalidExpiries',
    fee: 'FeeBpsOverflow',
    fees: 'InvalidFeeBpsRange',
    collector: 'InvalidCollectorForOperation',
    receiver: 'FiatTokenV2: invalid signature',
    right: 'nothing',
  })
})

test('captures keep to the hold, the fee and the time; a payer reclaims what is left', async () => {
  const now = await on.chain.now()
  const terms = payment({
    preApprovalExpiry: now + 100,
    authorizationExpiry: now + 200,
    refundExpiry: now + 300,
    minFeeBps: 50,
  })
  const seller = account('seller')
  await send('facilitator', escrow, 'authorize', [terms, 10_000n, byEip3009, await byAuthorization(terms)])
  const capture = (amount: bigint, fee: bigint, to: Address = account('facilitator')) =>
    refusal('facilitator', escrow, 'capture', [terms, amount, fee, to])
  expect({
    stranger: await refusal('seller', escrow, 'capture', [terms, 1n, 0n, seller]),
    low: await capture(10_000n, 49n),
    high: await capture(10_000n, 101n),
    receiver: await capture(10_000n, 50n, seller),
    more: await capture(10_001n, 60n),
    early: await refusal('payer', escrow, 'reclaim', [terms]),
    right: await capture(10_000n, 50n),
    uncaptured: await refusal('facilitator', escrow, 'refund', [terms, 1n, byOperator, '0x']),
  }).toEqual({
    stranger: 'InvalidSender',
    low: 'FeeAmountOutOfRange',
    high: 'FeeAmountOutOfRange',
    receiver: 'InvalidFeeReceiver',
    more: 'InsufficientAuthorization',
    early: 'BeforeAuthorizationExpiry',
    right: 'nothing',
    uncaptured: 'RefundExceedsCapture',
  })

  await on.chain.warp(200)
  expect(await capture(10_000n, 50n)).toBe('AfterAuthorizationExpiry')
  expect(await refusal('payer2', escrow, 'reclaim', [terms])).toBe('InvalidSender')
  await send('payer', escrow, 'reclaim', [terms])
  expect(await refusal('payer', escrow, 'reclaim', [terms])).toBe('ZeroAuthorization')
  expect(await on.chain.balance(account('payer'))).toBe(1_000_000_000n)
  await on.chain.warp(100)
  expect(await refusal('facilitator', escrow, 'refund', [terms, 1n, byOperator, '0x'])).toBe('AfterRefundExpiry')
})

test('terms without a fee receiver leave it open, but not empty', async () => {
  const terms = payment({ feeReceiver: zeroAddress })
  await send('facilitator', escrow, 'authorize', [terms, 10_000n, byEip3009, await byAuthorization(terms)])
  const capture = (to: Address) => refusal('facilitator', escrow, 'capture', [terms, 10_000n, 10n, to])
  expect([await capture(zeroAddress), await capture(account('payer5'))]).toEqual(['ZeroFeeReceiver', 'nothing'])
})

test('an ERC-6492 signature deploys its wallet on the way', async () => {
  const factory = await deployWalletFactory(on.chain)
  const wallet = await factory.predict(account('payer'))
  await on.chain.fund(wallet.address, 10_000n)
  const terms = payment({ payer: wallet.address })
  const data = wallet.wrap(await byAuthorization(terms))
  await send('facilitator', escrow, 'authorize', [terms, 10_000n, byEip3009, data])
  expect(await on.chain.client.getCode({ address: wallet.address })).toMatch(/^0x60/)
})

test('collectors and stores serve the escrow and nobody else; only what arrives is a payment', async () => {
  const terms = payment()
  const { authCaptureEip3009Collector, authCapturePermit2Collector, authCaptureRefundCollector } = evmContracts
  for (const collector of [authCaptureEip3009Collector, authCapturePermit2Collector, authCaptureRefundCollector]) {
    const args = [terms, account('payer3'), 1n, '0x']
    expect(await refusal('payer3', collector, 'collectTokens', args)).toBe('OnlyAuthCaptureEscrow')
  }
  await send('facilitator', escrow, 'authorize', [terms, 10_000n, byEip3009, await byAuthorization(terms)])
  await send('facilitator', escrow, 'capture', [terms, 1n, 0n, account('facilitator')]) // the first makes the store
  const store = { address: (await read(escrow, 'getTokenStore', [account('facilitator')])) as Address, abi: storeAbi }
  const steal = [on.chain.usdc, account('facilitator'), 1n]
  expect(await refusal('facilitator', store, 'send', steal)).toBe('OnlyEscrow')

  const token = await deployHostileToken(on.chain, 'fee-on-transfer')
  await token.mint(account('payer'), 10_000n)
  await approvePermit2('payer', token)
  const hostile = payment({ token: token.address })
  const args = [hostile, 10_000n, byPermit2, await byPermit(hostile)]
  expect(await refusal('facilitator', escrow, 'authorize', args)).toBe('TokenCollectionFailed')
})

const storeAbi = parseAbi(['function send(address token, address to, uint256 amount)'])

type Payment = {
  readonly operator: Address
  readonly payer: Address
  readonly receiver: Address
  readonly token: Address
  readonly maxAmount: bigint
  readonly preApprovalExpiry: number
  readonly authorizationExpiry: number
  readonly refundExpiry: number
  readonly minFeeBps: number
  readonly maxFeeBps: number
  readonly feeReceiver: Address
  readonly salt: bigint
}

/** The terms of a payment of 10,000 units at most, whose operator is the facilitator. */
function payment(change: Partial<Payment> = {}): Payment {
  return {
    operator: account('facilitator'),
    payer: account('payer'),
    receiver: account('seller'),
    token: on.chain.usdc,
    maxAmount: 10_000n,
    preApprovalExpiry: 2_000_000_000,
    authorizationExpiry: 2_000_100_000,
    refundExpiry: 2_000_200_000,
    minFeeBps: 0,
    maxFeeBps: 100,
    feeReceiver: account('facilitator'),
    salt: BigInt(zeroHash),
    ...change,
  }
}

const nonceOf = async (terms: Payment): Promise<Hex> =>
  (await read(escrow, 'getHash', [{ ...terms, payer: zeroAddress }])) as Hex

async function byAuthorization(terms: Payment): Promise<Hex> {
  const { payer: from, maxAmount: value, preApprovalExpiry } = terms
  const message = { from, to: byEip3009, value, validAfter: 0n, validBefore: BigInt(preApprovalExpiry) }
  return signed.authorization('payer', 'ReceiveWithAuthorization', { ...message, nonce: await nonceOf(terms) })
}

async function byPermit(terms: Payment): Promise<Hex> {
  return signed.permit2('payer', {
    permitted: { token: terms.token, amount: terms.maxAmount },
    spender: byPermit2,
    nonce: BigInt(await nonceOf(terms)),
    deadline: BigInt(terms.preApprovalExpiry),
  })
}
