import { network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import {
  delegate7702,
  deployErc1271Delegate,
  deployPlainDelegate,
  type EvmRole,
  type EvmChain as Sandbox,
  selfBatchCreation,
  startEvmChain,
} from '@groat/sandbox'
import { getContractAddress, keccak256 } from 'viem'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { holdOffer, payHold } from '../../testing/auth-capture.js'
import { payUpto, uptoOfferOf } from '../../testing/payments.js'
import { approvePermit2 } from '../../testing/permit2.js'
import { privateKeyAccount } from '../account.js'
import type { Address } from '../address.js'
import { authCaptureEvm } from '../auth-capture/facilitator.js'
import { createEvmChain, type EvmCall, type EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { uptoEvm } from '../upto/facilitator.js'
import { CREATE2_DEPLOYER } from './delegate.js'
import {
  delegateSigner,
  deploySelfBatch,
  SELF_BATCH,
  SELF_BATCH_CODE,
  SELF_BATCH_CREATION,
  undelegateSigner,
} from './index.js'

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
/** The last nonce that landed in a test. */
let landed = -1n
const payers = ['payer', 'payer2', 'payer3', 'payer4', 'payer5'] as const
const offer = uptoOfferOf()

beforeAll(async () => {
  sandbox = await startEvmChain()
  for (const role of payers) await approvePermit2(sandbox, sandbox.account(role).address, sandbox.usdc)
  restore = await sandbox.snapshot()
})
beforeEach(async () => {
  await restore()
  landed = -1n
  chain = await connect()
})
afterAll(() => sandbox?.stop())

const connect = (
  options: { readonly groupGas?: bigint; readonly selfBatch?: string; readonly clock?: () => number } = {},
) =>
  createEvmChain({
    network: network(sandbox.network),
    rpc: sandbox.rpcUrl,
    signers: [sandbox.account('facilitator').privateKey],
    selfBatch: SELF_BATCH,
    ...options,
  })
const keyOf = (role: EvmRole) => privateKeyAccount(sandbox.account(role).privateKey)
const signer = () => keyOf('facilitator')
const codeOf = async (address: string) => (await sandbox.client.getCode({ address: address as Hex })) ?? '0x'
const charging = (amount: bigint): PaymentRequirements => ({ ...offer, amount })
const scheme = () => uptoEvm({ chains: [chain] })
const callOf = async (payment: PaymentPayload, amount = 1_000n): Promise<EvmCall> => {
  const call = await scheme().prepare(payment, charging(amount))
  if (call === undefined) throw new TypeError('nothing to send')
  return call
}
const callsOf = async (roles: readonly EvmRole[] = payers) =>
  Promise.all(roles.map(async (role) => callOf(await payUpto(offer, keyOf(role)))))

async function ready() {
  expect(await deploySelfBatch(chain)).toMatchObject({ ok: true })
  expect(await delegateSigner(chain, signer())).toMatchObject({ ok: true })
}

async function land(call: EvmCall) {
  const [account = ''] = chain.signers
  const next = async () => (await chain.nextNonce?.(account)) ?? 0n
  // The node may show a receipt a moment before it counts its transaction.
  await expect.poll(next).toBeGreaterThan(landed)
  const transaction = await chain.sign(call, { signer: account, nonce: await next() })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  const receipt = await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  landed = transaction.nonce ?? landed
  return { transaction, receipt }
}

test('FAC-110 the batch is the sandbox’s contract, at the address that its code has on every chain', async () => {
  expect(SELF_BATCH_CREATION).toBe(selfBatchCreation)
  const salt: Hex = `0x${'00'.repeat(32)}`
  const terms = {
    opcode: 'CREATE2',
    from: CREATE2_DEPLOYER,
    salt,
    bytecodeHash: keccak256(SELF_BATCH_CREATION),
  } as const
  expect(getContractAddress(terms).toLowerCase()).toBe(SELF_BATCH)
  const first = await deploySelfBatch(chain)
  expect(first).toMatchObject({ ok: true, transaction: expect.stringMatching(/^0x/) })
  expect(await codeOf(SELF_BATCH)).toBe(SELF_BATCH_CODE)
  expect(await deploySelfBatch(chain)).toEqual({ ok: true })
})

test('FAC-110 a signer is made to run the batch and taken back, once each, and nobody who runs something else', async () => {
  const { address } = signer()
  expect(await delegateSigner(chain, signer())).toMatchObject({ ok: false, code: 'invalid_config' })
  await deploySelfBatch(chain)
  expect(await undelegateSigner(chain, signer())).toEqual({ ok: true })
  expect(await delegateSigner(chain, signer())).toMatchObject({ ok: true, transaction: expect.stringMatching(/^0x/) })
  expect(await codeOf(address)).toBe(`0xef0100${SELF_BATCH.slice(2)}`)
  expect(await delegateSigner(chain, signer())).toEqual({ ok: true })
  expect(await undelegateSigner(chain, signer())).toMatchObject({ ok: true, transaction: expect.stringMatching(/^0x/) })
  expect(await codeOf(address)).toBe('0x')
  await delegate7702(sandbox, address, await deployPlainDelegate(sandbox))
  const refused = { ok: false, code: 'invalid_config', detail: expect.stringContaining('other code') }
  expect(await delegateSigner(chain, signer())).toMatchObject(refused)
  expect(await undelegateSigner(chain, signer())).toMatchObject(refused)
})

test('FAC-110 what only the signer may send travels together only while the signer runs the batch', async () => {
  const [call] = await callsOf(['payer'])
  let now = 0
  const moving = await connect({ clock: () => now })
  const admits = async () => {
    now += 20_000
    return moving.groups?.joins(call!) === true && (await moving.groups.admits(call!))
  }
  expect(call).toMatchObject({ sender: signer().address, payer: keyOf('payer').address, unmarked: true })
  expect(await admits()).toBe(false)
  await ready()
  expect(await admits()).toBe(true)
  expect(moving.mostPending?.(signer().address)).toBe(1)
  // The same delegation, to code that is not known.
  await sandbox.setCode(SELF_BATCH, `${SELF_BATCH_CODE}00`)
  expect(await admits()).toBe(false)
  expect(moving.groups?.joins(call!)).toBe(false)
  await sandbox.setCode(SELF_BATCH, SELF_BATCH_CODE)
  expect(await admits()).toBe(true)
  await delegate7702(sandbox, signer().address, await deployErc1271Delegate(sandbox))
  expect(await admits()).toBe(false)
  await undelegate()
  expect([await admits(), moving.mostPending?.(signer().address)]).toEqual([false, undefined])
  expect((await connect()).groups?.joins({ ...call!, sender: keyOf('payer').address as Address })).toBe(false)
  const without = await createEvmChain({
    network: network(sandbox.network),
    rpc: sandbox.rpcUrl,
    signers: [sandbox.account('facilitator').privateKey],
  })
  expect(without.groups?.joins(call!)).toBe(false)
  await expect(connect({ selfBatch: '0x12' })).rejects.toMatchObject({ code: 'invalid_config' })
})

const undelegate = () => sandbox.setCode(signer().address, '0x')

test('EVM-UPTO-052 EVM-UPTO-059 one that fails changes nothing for the others, and each is found by its own log', async () => {
  await ready()
  const payments = await Promise.all(payers.map((role) => payUpto(offer, keyOf(role))))
  await land(await callOf(payments[1]!, 7n))
  const before = await sandbox.balance(sandbox.account('seller').address)
  const calls = await Promise.all(payments.map((payment) => callOf(payment)))
  expect(chain.groups?.company(calls)).toEqual([0, 1, 2, 3, 4])
  const { transaction, receipt } = await land(chain.groups!.join(calls))
  expect(receipt.status).toBe('success')
  expect((await sandbox.balance(sandbox.account('seller').address)) - before).toBe(4_000n)
  const outcomes = await Promise.all(
    payments.map((payment) => scheme().outcome(payment, charging(1_000n), [transaction])),
  )
  expect(outcomes.map(({ status }) => status)).toEqual(['settled', 'reverted', 'settled', 'settled', 'settled'])
  const places = outcomes.flatMap((outcome) => (outcome.status === 'settled' ? [outcome.logIndex] : []))
  expect(new Set(places).size).toBe(4)
})

test('EVM-CAPTURE-053 money that is collected into escrow travels with what is paid by upto, and each is found by its own log', async () => {
  await ready()
  const holds = authCaptureEvm({ chains: [chain] })
  const collected = holdOffer()
  const collects = await Promise.all((['payer', 'payer2'] as const).map((role) => payHold(collected, keyOf(role))))
  const paid = await payUpto(offer, keyOf('payer3'))
  const calls = [
    ...(await Promise.all(collects.map(async (payment) => (await holds.prepare(payment, collected))!))),
    await callOf(paid),
  ]
  expect(chain.groups?.company(calls)).toEqual([0, 1, 2])
  const { transaction } = await land(chain.groups!.join(calls))
  for (const payment of collects) {
    expect(await holds.outcome(payment, collected, [transaction])).toMatchObject({ status: 'settled', amount: 10_000n })
  }
  expect(await scheme().outcome(paid, charging(1_000n), [transaction])).toMatchObject({ status: 'settled' })
  expect(calls[0]).toMatchObject({ sender: signer().address, payer: keyOf('payer').address })
})

test('EVM-UPTO-059 two payments of one payer never travel together, and a group keeps within its gas', async () => {
  await ready()
  const calls = await callsOf(['payer', 'payer', 'payer2', 'payer3', 'payer2'])
  expect(chain.groups?.company(calls)).toEqual([0, 2, 3])
  const tight = await connect({ groupGas: 1_100_000n })
  await tight.ready()
  const places = tight.groups!.company(await callsOf(payers))
  expect(places).toEqual([0, 1, 2])
  expect(tight.groups!.join((await callsOf(payers)).slice(0, 3)).gas).toBeLessThanOrEqual(1_100_000n)
  const none = await connect({ groupGas: 0n })
  expect(none.groups?.joins(calls[0]!)).toBe(false)
})

test('a payment in a group costs less gas than alone', async () => {
  await ready()
  const [alone] = await callsOf(['payer'])
  await land(alone!)
  const single = (await land((await callsOf(['payer']))[0]!)).receipt.gasUsed
  for (const count of [2, 5]) {
    const group = chain.groups!.join(await callsOf(payers.slice(0, count)))
    const { gasUsed } = (await land(group)).receipt
    expect(gasUsed).toBeLessThan(BigInt(count) * single)
    expect(2n * gasUsed).toBeLessThan(group.gas)
  }
})

test('what a signer runs is no reason not to be ready', async () => {
  await ready()
  await chain.ready()
  await undelegate()
  await chain.ready()
  const broken = await createEvmChain({
    network: network(sandbox.network),
    rpc: sandbox.rpcUrl,
    signers: [sandbox.account('facilitator').privateKey],
    selfBatch: keyOf('payer').address,
  })
  await broken.ready()
  expect(broken.groups?.joins((await callsOf(['payer']))[0]!)).toBe(false)
})
