// The contracts of the sandbox are ours. The official packages must not notice: their clients sign, their facilitators
// simulate, send and read, and the money moves.

import { type EvmRole, usdcAbi } from '@groat/sandbox'
import type { PaymentPayload, PaymentRequirements, SchemeNetworkClient } from '@x402/core/types'
import { toClientEvmSigner, toFacilitatorEvmSigner } from '@x402/evm'
import { AuthCaptureEvmScheme } from '@x402/evm/auth-capture/client'
import { BatchSettlementEvmScheme as BatchClient, signVoucher } from '@x402/evm/batch-settlement/client'
import { BatchSettlementEvmScheme as BatchFacilitator } from '@x402/evm/batch-settlement/facilitator'
import { ExactEvmScheme as ExactClient } from '@x402/evm/exact/client'
import { ExactEvmScheme as ExactFacilitator } from '@x402/evm/exact/facilitator'
import { UptoEvmScheme as UptoClient } from '@x402/evm/upto/client'
import { UptoEvmScheme as UptoFacilitator } from '@x402/evm/upto/facilitator'
import { createWalletClient, type Hex, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { useStage } from './test-kit.js'

const NETWORK = 'eip155:84532'
const stage = useStage()
let revert: () => Promise<void>
beforeAll(async () => {
  revert = await stage.chain.snapshot()
})
afterEach(() => revert())

test('exact by Permit2: signed, verified and settled by the official package', async () => {
  await approvePermit2()
  const facilitator = new ExactFacilitator(signer())
  const offer = requirements('exact', '10000', { ...usdcDomain, assetTransferMethod: 'permit2' })
  const payment = await pay(new ExactClient(payer()), offer)
  expect(await facilitator.verify(payment, offer)).toMatchObject({ isValid: true })
  const moved = await stage.moved(address('payer'), async () => {
    expect(await facilitator.settle(payment, offer)).toMatchObject({ success: true })
  })
  expect(moved).toEqual({ paid: 10_000n, earned: 10_000n, transfers: 1 })
  expect(await facilitator.verify(payment, offer)).toMatchObject({ isValid: false })
})

test('exact by Permit2 without an allowance: the official diagnosis, then a sponsored permit', async () => {
  const facilitator = new ExactFacilitator(signer())
  const offer = requirements('exact', '10000', { ...usdcDomain, assetTransferMethod: 'permit2' })
  expect(await facilitator.verify(await pay(new ExactClient(payer()), offer), offer)).toMatchObject({
    isValid: false,
    invalidReason: 'permit2_allowance_required',
  })
  const extensions = { eip2612GasSponsoring: { info: { description: '', version: '1' }, schema: {} } }
  const payment = await pay(new ExactClient(reader()), offer, extensions)
  expect(Object.keys(payment.extensions ?? {})).toEqual(['eip2612GasSponsoring'])
  expect(await facilitator.verify(payment, offer)).toMatchObject({ isValid: true })
  const moved = await stage.moved(address('payer'), async () => {
    expect(await facilitator.settle(payment, offer)).toMatchObject({ success: true })
  })
  expect(moved).toEqual({ paid: 10_000n, earned: 10_000n, transfers: 1 })
})

test('upto: the official facilitator settles a part of what the official client signed', async () => {
  await approvePermit2()
  const facilitator = new UptoFacilitator(signer())
  const facilitatorAddress = address('facilitator')
  const offer = requirements('upto', '50000', { ...usdcDomain, assetTransferMethod: 'permit2', facilitatorAddress })
  const payment = await pay(new UptoClient(payer()), offer)
  expect(await facilitator.verify(payment, offer)).toMatchObject({ isValid: true })
  const moved = await stage.moved(address('payer'), async () => {
    expect(await facilitator.settle(payment, { ...offer, amount: '12345' })).toMatchObject({
      success: true,
      amount: '12345',
    })
  })
  expect(moved).toEqual({ paid: 12_345n, earned: 12_345n, transfers: 1 })
})

test.each(['eip3009', 'permit2'])('batch-settlement by %s: a channel from deposit to refund', async (method) => {
  if (method === 'permit2') await approvePermit2()
  const authorizer = privateKeyToAccount(stage.chain.account('payer2').privateKey)
  const facilitator = new BatchFacilitator(signer(), authorizer)
  const extra = { receiverAuthorizer: authorizer.address, withdrawDelay: 900, assetTransferMethod: method }
  const offer = requirements('batch-settlement', '1000', { ...usdcDomain, ...extra })
  const client = new BatchClient(reader())

  const deposit = await pay(client, offer)
  expect(deposit.payload).toMatchObject({ type: 'deposit', deposit: { amount: '5000' } })
  expect(await facilitator.verify(deposit, offer)).toMatchObject({ isValid: true })
  expect(await facilitator.settle(deposit, offer)).toMatchObject({
    success: true,
    amount: '5000',
    extra: { channelState: { balance: '5000', totalClaimed: '0' } },
  })

  const channel = deposit.payload.channelConfig
  const { channelId } = deposit.payload.voucher as { channelId: Hex }
  const voucher = await signVoucher(reader(), channelId, '2000', NETWORK)
  const request = { ...deposit, payload: { type: 'voucher', channelConfig: channel, voucher } }
  expect(await facilitator.verify(request, offer)).toMatchObject({ isValid: true, extra: { balance: '5000' } })

  const act = (payload: Record<string, unknown>) => facilitator.settle({ ...deposit, payload }, offer)
  const claims = [
    { voucher: { channel, maxClaimableAmount: '2000' }, signature: voucher.signature, totalClaimed: '1500' },
  ]
  expect(await act({ type: 'claim', claims })).toMatchObject({ success: true })
  const earned = await stage.moved(address('payer'), async () => {
    expect(await act({ type: 'settle', receiver: address('seller'), token: stage.chain.usdc })).toMatchObject({
      success: true,
      amount: '1500',
    })
  })
  expect(earned.earned).toBe(1_500n)
  const back = await stage.moved(address('payer'), async () => {
    const refund = { type: 'refund', channelConfig: channel, voucher, amount: '3500', refundNonce: '0', claims: [] }
    expect(await act(refund)).toMatchObject({ success: true, amount: '3500' })
  })
  expect(back.paid).toBe(-3_500n)
})

test.each(['eip3009', 'permit2'])('auth-capture by %s: what the official client signs is held', async (method) => {
  if (method === 'permit2') await approvePermit2()
  const operator = address('facilitator')
  const offer = requirements('auth-capture', '1000000', {
    ...usdcDomain,
    captureAuthorizer: operator,
    captureDeadline: 2_000_100_000,
    refundDeadline: 2_000_200_000,
    feeRecipient: operator,
    minFeeBps: 0,
    maxFeeBps: 100,
    assetTransferMethod: method,
  })
  const payload = (await pay(new AuthCaptureEvmScheme(payer()), offer)).payload as AuthCapturePayload
  const preApprovalExpiry = Number(payload.authorization?.validBefore ?? payload.permit2Authorization?.deadline)
  const { authCaptureEscrow, authCaptureEip3009Collector, authCapturePermit2Collector } = stage.chain.contracts
  const collector = method === 'permit2' ? authCapturePermit2Collector : authCaptureEip3009Collector
  const terms = {
    operator,
    payer: address('payer'),
    receiver: address('seller'),
    token: stage.chain.usdc,
    maxAmount: 1_000_000n,
    preApprovalExpiry,
    authorizationExpiry: 2_000_100_000,
    refundExpiry: 2_000_200_000,
    minFeeBps: 0,
    maxFeeBps: 100,
    feeReceiver: operator,
    salt: BigInt(payload.salt),
  }
  const hash = await wallet('facilitator').writeContract({
    ...authCaptureEscrow,
    functionName: 'authorize',
    args: [terms, 1_000_000n, collector.address, payload.signature],
  })
  expect((await stage.chain.client.waitForTransactionReceipt({ hash })).status).toBe('success')
})

type AuthCapturePayload = {
  readonly signature: Hex
  readonly salt: Hex
  readonly authorization?: { readonly validBefore: string }
  readonly permit2Authorization?: { readonly deadline: string }
}

const usdcDomain = { name: 'USDC', version: '2' }

const address = (role: EvmRole) => stage.chain.account(role).address

function wallet(role: EvmRole) {
  return createWalletClient({
    account: privateKeyToAccount(stage.chain.account(role).privateKey),
    chain: baseSepolia,
    transport: http(stage.chain.rpcUrl),
    pollingInterval: 20,
  }).extend(publicActions)
}

const payer = () => privateKeyToAccount(stage.chain.account('payer').privateKey)

/** The payer with a view of the chain. */
const reader = () => toClientEvmSigner(payer(), stage.chain.client as never) // its client type is a loose subset of viem's

function signer() {
  const client = wallet('facilitator')
  return toFacilitatorEvmSigner({ ...client, address: client.account.address } as never) // the same
}

async function approvePermit2(): Promise<void> {
  const args = [stage.chain.permit2, 2n ** 256n - 1n] as const
  const hash = await wallet('payer').writeContract({
    address: stage.chain.usdc,
    abi: usdcAbi,
    functionName: 'approve',
    args,
  })
  await stage.chain.client.waitForTransactionReceipt({ hash })
}

function requirements(scheme: string, amount: string, extra: Record<string, unknown>): PaymentRequirements {
  const { usdc } = stage.chain
  return { scheme, network: NETWORK, amount, asset: usdc, payTo: address('seller'), maxTimeoutSeconds: 300, extra }
}

async function pay(client: SchemeNetworkClient, offer: PaymentRequirements, extensions?: Record<string, unknown>) {
  const made = await client.createPaymentPayload(2, offer, extensions && { extensions })
  const resource = { url: 'https://shop.example/paid', description: '', mimeType: '' }
  return { resource, accepted: offer, ...made } as PaymentPayload
}
