import { assetByTicker, type FacilitatorRequest, network, type Settlement, systemRandom } from '@groat/core'
import { uptoEvm as payer, privateKeyAccount } from '@groat/evm/upto/client'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { uptoEvm as seller } from '@groat/evm/upto/server'
import { beforeEach, expect, test } from 'vitest'
import type { FacilitatorService } from '../src/index.js'
import { settlingChain, useFacilitator } from './chain-kit.js'

// A ceiling in the journal: charged in part, charged nothing, charged once.

const on = useFacilitator()
let service: FacilitatorService

beforeEach(async () => {
  await on.approvePermit2('payer')
  service = await on.serve({
    schemes: [uptoEvm({ chains: [await settlingChain(on.chain.rpcUrl, ['facilitator', 'facilitator2'])] })],
  })
})

/** A signed ceiling of 0.05, under an offer made from what the facilitator says of itself. */
async function sign(): Promise<FacilitatorRequest> {
  const asset = assetByTicker(network('base-sepolia'), 'USDC')
  const kind = (await service.supported()).kinds.find(({ scheme }) => scheme === 'upto')
  if (asset === undefined || kind === undefined) throw new Error('upto is not offered')
  const terms = { network: asset.network, asset, amount: 50_000n, maxTimeoutSeconds: 120 }
  const requirements = seller.offer({ ...terms, payTo: on.chain.account('seller').address, kind })
  const prepared = payer({ account: privateKeyAccount(on.chain.account('payer').privateKey) }).prepare(requirements, {
    clock: Date.now,
    random: systemRandom,
    maxLifetimeSeconds: 120,
  })
  if (!prepared.ok) throw new Error(prepared.code)
  const payload = await prepared.sign()
  const { scheme, network: on_ } = requirements
  return { requirements, payment: { x402Version: 2, scheme, network: on_, accepted: requirements, payload } }
}

const charging = (request: FacilitatorRequest, amount: bigint): FacilitatorRequest => ({
  ...request,
  requirements: { ...request.requirements, amount },
})

const receiptOf = (settlement: Settlement) => {
  if (settlement.status !== 'settled') throw new Error(JSON.stringify(settlement))
  return settlement.receipt
}

const moved = async () => (await on.chain.balance(on.chain.account('seller').address)) - on.before

test('EVM-UPTO-002 EVM-UPTO-051 a part of the ceiling settles, once, and for no other amount', async () => {
  const request = await sign()
  expect(await service.verify(request)).toMatchObject({ ok: true })
  const outcomes = await Promise.all([1, 2, 3].map(() => service.settle(charging(request, 1_858n))))
  const receipts = outcomes.map(receiptOf)
  expect(new Set(receipts.map(({ transaction }) => transaction)).size).toBe(1)
  expect(receipts[0]).toMatchObject({ amount: 1_858n })
  expect(await moved()).toBe(1_858n)
  const stranger = await on.serve({
    schemes: [uptoEvm({ chains: [await settlingChain(on.chain.rpcUrl, ['facilitator3'])] })],
  })
  expect(receiptOf(await stranger.settle(charging(request, 1_858n)))).toEqual(receipts[0])
  expect(await stranger.settle(charging(await sign(), 1n))).toMatchObject({ code: 'upto_facilitator_mismatch' })
  expect(await service.settle(charging(request, 1_859n))).toMatchObject({ code: 'idempotency_mismatch' })
  expect(await service.settle(charging(await sign(), 50_001n))).toMatchObject({
    code: 'invalid_upto_evm_payload_settlement_exceeds_amount',
  })
  expect(await moved()).toBe(1_858n)
})

test('EVM-UPTO-054 EVM-UPTO-055 a charge of nothing makes no transaction, and the payment is used up', async () => {
  const request = await sign()
  const block = await on.chain.client.getBlockNumber()
  expect(await service.verify(request)).toMatchObject({ ok: true })
  for (let again = 0; again < 2; again++) {
    expect(receiptOf(await service.settle(charging(request, 0n)))).toMatchObject({ transaction: '', amount: 0n })
  }
  expect(await service.settle(charging(request, 1n))).toMatchObject({ status: 'refused', code: 'idempotency_mismatch' })
  expect(await service.settle(request)).toMatchObject({ status: 'refused', code: 'idempotency_mismatch' })
  expect([await moved(), await on.chain.client.getBlockNumber()]).toEqual([0n, block])
  const rows = await on.tables().selectFrom('settlement').select(['state', 'amount']).execute()
  expect(rows).toEqual([{ state: 'settled', amount: '0' }])
})

test('EVM-UPTO-003 the account that settles is the same in every answer, whatever the number of signers', async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => service.supported()))
  expect(new Set(answers.map(({ kinds }) => kinds[0]?.extra?.facilitatorAddress))).toEqual(
    new Set([on.chain.account('facilitator').address]),
  )
})
