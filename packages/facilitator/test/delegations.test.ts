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
import type { FacilitatorService } from '../src/index.js'
import { PRICE, settlingChain, useFacilitator } from './chain-kit.js'

// Permissions to move money (ERC-7710) through the engine with its journal, on a real manager.

const on = useFacilitator()
let service: FacilitatorService
let manager: DelegationManager
const GAS = 400_000n

beforeEach(async () => {
  manager = await deployDelegationManager(on.chain)
  const code = await deployDelegatorAccount(on.chain, manager.address)
  for (const role of ['payer2', 'payer3'] as const) await delegate7702(on.chain, on.chain.account(role).address, code)
  const chain = await settlingChain(on.chain.rpcUrl, ['facilitator', 'facilitator2'])
  const delegations = { managers: [manager.address], gas: GAS }
  service = await on.serve({ schemes: [exactEvm({ chains: [chain], delegations })] })
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
