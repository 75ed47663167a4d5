import { assetByTicker, type FacilitatorRequest, network, type Settlement } from '@groat/core'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { exactEvm as seller } from '@groat/evm/exact/server'
import {
  type DelegationManager,
  delegate7702,
  deployDelegationManager,
  deployDelegatorAccount,
  deployHostileDelegator,
  type HostileDelegatorConduct,
} from '@groat/sandbox'
import { beforeEach, describe, expect, test } from 'vitest'
import { delegatedAccount, keyOf, payByDelegation } from '../../evm/testing/delegation.js'
import type { FacilitatorOptions, FacilitatorService } from '../src/index.js'
import { PRICE, settlingChain, until, useFacilitator } from './chain-kit.js'

// Permissions to move money (ERC-7710) through the engine with its journal, on a real manager.

const on = useFacilitator()
let service: FacilitatorService
let manager: DelegationManager
/** How often the chain was asked what became of something. */
let looks: number
let schemes: FacilitatorOptions['schemes']
const GAS = 400_000n

beforeEach(async () => {
  manager = await deployDelegationManager(on.chain)
  const code = await deployDelegatorAccount(on.chain, manager.address)
  for (const role of ['payer2', 'payer3'] as const) await delegate7702(on.chain, on.chain.account(role).address, code)
  const chain = await settlingChain(on.chain.rpcUrl, ['facilitator', 'facilitator2'])
  const delegations = { managers: [manager.address], gas: GAS }
  const scheme = exactEvm({ chains: [chain], delegations })
  looks = 0
  const outcome: typeof scheme.outcome = (...about) => {
    looks += 1
    return scheme.outcome(...about)
  }
  schemes = [{ ...scheme, outcome }]
  service = await on.serve({ schemes })
})

/** A permission for one price, under an offer made from what the facilitator says of itself. */
async function permit(role: 'payer2' | 'payer3' = 'payer2'): Promise<FacilitatorRequest> {
  const asset = assetByTicker(network('base-sepolia'), 'USDC')
  const kind = (await service.supported()).kinds.find(({ scheme }) => scheme === 'exact')
  if (asset === undefined || kind === undefined) throw new Error('exact is not offered')
  const terms = { network: asset.network, asset, amount: PRICE, maxTimeoutSeconds: 120, kind }
  const payTo = on.chain.account('seller').address
  const requirements = seller.offer({ ...terms, payTo, extra: { assetTransferMethod: 'erc7710' } })
  const account = delegatedAccount(manager, on.chain.account(role).address, keyOf(on.chain, role))
  return { requirements, payment: await payByDelegation(requirements, account) }
}

function transactionOf(settlement: Settlement): `0x${string}` {
  if (settlement.status !== 'settled') throw new Error(`not settled: ${JSON.stringify(settlement)}`)
  return settlement.receipt.transaction as `0x${string}`
}

const gas = () => on.chain.nativeBalance(on.chain.account('facilitator').address)

test('EVM-EXACT-154 EVM-EXACT-156 permissions settle once each, alone, by the account that they name, within their gas', async () => {
  const requests = [await permit(), await permit('payer3'), await permit()]
  // Company that could travel together.
  const others = await Promise.all(['payer', 'payer', 'payer4', 'payer5'].map((role) => on.pay(role as 'payer')))
  expect(await service.verify(requests[0]!)).toMatchObject({ ok: true })
  await on.chain.setIntervalMining(1)
  const [delegated, plain] = await Promise.all([
    // Copies at once.
    Promise.all([...requests, ...requests].map((request) => service.settle(request))),
    Promise.all(others.map((request) => service.settle(request))),
  ])
  const hashes = delegated.map(transactionOf)
  expect(new Set(hashes).size).toBe(requests.length)
  const elsewhere = new Set(plain.map(transactionOf))
  for (const hash of new Set(hashes)) {
    const transaction = await on.chain.client.getTransaction({ hash })
    expect([transaction.to, transaction.gas, transaction.from, elsewhere.has(hash)]).toEqual([
      manager.address.toLowerCase(),
      GAS,
      on.chain.account('facilitator').address.toLowerCase(),
      false,
    ])
  }
  await on.expectMoved(requests.length + others.length)
})

describe('EVM-EXACT-155 an account that does not do what it allows costs nothing', () => {
  const conducts: readonly (readonly [HostileDelegatorConduct, string])[] = [
    ['reverting', 'erc7710_simulation_failed'],
    ['burning-gas', 'erc7710_simulation_failed'],
    ['idle', 'erc7710_transfer_mismatch'],
    ['delivering-less', 'erc7710_transfer_mismatch'],
    ['paying-while-free', 'erc7710_transfer_mismatch'],
  ]
  test.each(conducts)('%s: %s', async (conduct, code) => {
    const hostile = await deployHostileDelegator(on.chain, conduct, on.chain.account('payer4').address)
    await delegate7702(on.chain, on.chain.account('payer2').address, hostile.address)
    const request = await permit()
    const before = await gas()
    expect(await service.verify(request)).toMatchObject({ ok: false, code })
    expect(await service.settle(request)).toMatchObject({ status: 'refused', code })
    expect(await gas()).toBe(before)
    const rows = await on.tables().selectFrom('settlement').select(['state', 'reason']).execute()
    expect(rows).toEqual([{ state: 'refused', reason: code }])
    await on.expectMoved(0)
  })
})

test('a permission of a manager that nobody allowed is not called', async () => {
  const other = await deployDelegationManager(on.chain)
  const request = await permit()
  const payload = { ...request.payment.payload, delegationManager: other.address }
  const before = await gas()
  const settlement = await service.settle({ ...request, payment: { ...request.payment, payload } })
  expect(settlement).toMatchObject({ status: 'refused', code: 'erc7710_manager_not_allowed' })
  expect(await gas()).toBe(before)
})

test('EVM-EXACT-169 a redemption that failed is not over while its block may be undone: the same bytes move the money then, once', async () => {
  const { chain } = on
  await service.stop()
  service = await on.serve({ schemes, settleTimeout: 100 })
  const { address: payer } = chain.account('payer2')
  const hostile = await deployHostileDelegator(chain, 'reverting', chain.account('payer4').address)
  const honest = await chain.client.getCode({ address: payer })
  await chain.setAutomine(false)
  const request = await permit()
  void service.settle(request)
  await until(async () => (await attempts()).length === 1)
  await until(async () => (await chain.client.getBlock({ blockTag: 'pending' })).transactions.length === 1)
  await delegate7702(chain, payer, hostile.address)
  await chain.mine()
  const hash = (await attempts())[0]!.hash as `0x${string}`
  expect((await chain.client.getTransactionReceipt({ hash })).status).toBe('reverted')
  // Nothing else is signed, and nobody is told that it is over.
  const seen = looks
  const isDead = async () =>
    (await on.tables().selectFrom('settlement').select('state').execute()).some(({ state }) => state === 'dead')
  await until(async () => looks > seen + 3 || (await isDead()))
  expect(await isDead()).toBe(false)
  expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
  expect((await attempts()).map(({ hash: each }) => each)).toEqual([hash])

  await chain.reorg(1)
  await chain.setCode(payer, honest!)
  // As nodes do with what was in a block that was undone.
  await chain.client.sendRawTransaction({ serializedTransaction: (await attempts())[0]!.raw as `0x${string}` })
  await until(async () => {
    await chain.mine()
    return (await service.settle(request)).status === 'settled'
  })
  expect(transactionOf(await service.settle(request))).toBe(hash)
  await on.expectMoved(1)
})

test('EVM-EXACT-169 and is over when its block cannot be undone any more', async () => {
  const { chain } = on
  await service.stop()
  service = await on.serve({ schemes, settleTimeout: 100 })
  const { address: payer } = chain.account('payer2')
  const hostile = await deployHostileDelegator(chain, 'reverting', chain.account('payer4').address)
  await chain.setAutomine(false)
  const request = await permit()
  void service.settle(request)
  await until(async () => (await chain.client.getBlock({ blockTag: 'pending' })).transactions.length === 1)
  await delegate7702(chain, payer, hostile.address)
  await chain.mine(80)
  await until(async () => (await service.settle(request)).status === 'refused')
  expect((await attempts()).map(({ status }) => status)).toEqual(['failed'])
  await on.expectMoved(0)
})

const attempts = () => on.tables().selectFrom('attempt').select(['hash', 'status', 'raw']).execute()
