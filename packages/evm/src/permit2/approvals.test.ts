import { network } from '@groat/core'
import { deployHostileToken, type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { approvePermit2 as approveDirectly, assetOf, payByPermit2, permit2Offer } from '../../testing/permit2.js'
import { privateKeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { ERC20_APPROVAL_GAS_SPONSORING } from '../sponsoring/approval.js'
import { approvePermit2, planApproval } from './approvals.js'

let sandbox: Sandbox
let chain: EvmChain
let owner: Address
let restore: () => Promise<void>
let tokens: Record<'honest' | 'approves-from-zero', Address>

beforeAll(async () => {
  sandbox = await startEvmChain({ rpcUrl: false })
  const signers = [sandbox.account('payer').privateKey]
  chain = await createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers, assets: [] })
  owner = at(sandbox.account('payer').address)
  const made = async (conduct: keyof typeof tokens) => at((await deployHostileToken(sandbox, conduct)).address)
  tokens = { honest: await made('honest'), 'approves-from-zero': await made('approves-from-zero') }
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

function at(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError('no address')
  return address
}

/** What was planned, and what Permit2 may take after it was carried out. */
async function approve(token: Address, amount: bigint) {
  const plan = await planApproval(chain.rpc, { owner, token, amount })
  if (!plan.ok) return plan
  const hashes = await approvePermit2(chain, token, plan)
  const after = await planApproval(chain.rpc, { owner, token, amount: 1n })
  return { ...plan, hashes: hashes.length, after: after.ok && after.allowed }
}

test('an approval goes in one step, and one that is there needs none', async () => {
  const token = tokens.honest
  const made = { ok: true, hashes: 1 }
  expect(await approve(token, 5n)).toEqual({ ...made, allowed: 0n, steps: [5n], after: 5n })
  expect(await approve(token, 5n)).toEqual({ ok: true, allowed: 5n, steps: [], hashes: 0, after: 5n })
  expect(await approve(token, 9n)).toEqual({ ...made, allowed: 5n, steps: [9n], after: 9n })
  expect(await approve(token, 0n)).toEqual({ ...made, allowed: 9n, steps: [0n], after: 0n })
  const all = 2n ** 256n - 1n
  expect(await approve(token, all)).toEqual({ ...made, allowed: 0n, steps: [all], after: all })
})

test('a token that changes an allowance from zero only is approved zero first', async () => {
  const token = tokens['approves-from-zero']
  expect(await approve(token, 5n)).toMatchObject({ steps: [5n], after: 5n })
  expect(await approve(token, 9n)).toEqual({ ok: true, allowed: 5n, steps: [0n, 9n], hashes: 2, after: 9n })
  expect(await approve(token, 0n)).toMatchObject({ steps: [0n], after: 0n })
})

test('what is no token is refused before anything is signed', async () => {
  const nowhere = at(`0x${'77'.repeat(20)}`)
  expect(await approve(nowhere, 5n)).toMatchObject({ code: 'asset_not_deployed_contract' })
  const before = await sandbox.client.getTransactionCount({ address: owner })
  expect(await approve(at(sandbox.usdc), 0n)).toMatchObject({ ok: true, steps: [] })
  expect(await sandbox.client.getTransactionCount({ address: owner })).toBe(before)
})

test('GAS-APPROVAL-002 nobody signs along an approval that the token would not take', async () => {
  const asset = assetOf(tokens['approves-from-zero'] as Hex)
  const payer = privateKeyAccount(sandbox.account('payer').privateKey)
  const announced = { [ERC20_APPROVAL_GAS_SPONSORING]: { info: { version: '1' }, schema: {} } }
  const pay = () => payByPermit2(asset, permit2Offer(asset), payer, { rpc: sandbox.rpcUrl, extensions: announced })
  expect((await pay()).extensions).toHaveProperty([ERC20_APPROVAL_GAS_SPONSORING])
  await approveDirectly(sandbox, payer.address, asset.address as Hex, 999n)
  await expect(pay()).rejects.toThrow('permit2_allowance_not_replaceable')
  // From zero it is taken again.
  await approveDirectly(sandbox, payer.address, asset.address as Hex, 0n)
  expect((await pay()).extensions).toHaveProperty([ERC20_APPROVAL_GAS_SPONSORING])
})
