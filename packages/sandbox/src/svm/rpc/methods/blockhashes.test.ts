import { address, type Base64EncodedWireTransaction, type Blockhash } from '@solana/kit'
import { expect, test } from 'vitest'
import { type Lifetime, memo, testHere, useSvm } from '../../../../test/svm-kit.js'

const on = useSvm()
const processed = { commitment: 'processed' } as const
const skipPreflight = { encoding: 'base64', skipPreflight: true } as const

test('a blockhash lives for 150 blocks after its own', async () => {
  const { blockhash, lastValidBlockHeight } = await on.blockhash()
  const height = await on.rpc.getBlockHeight({ commitment: 'confirmed' }).send()
  expect(Number(lastValidBlockHeight - height)).toBeGreaterThanOrEqual(149)
  expect(lastValidBlockHeight - height).toBeLessThanOrEqual(150n)
  expect((await on.rpc.isBlockhashValid(blockhash, processed).send()).value).toBe(true)
})

test('finalized blockhashes are older', async () => {
  const [finalized, confirmed] = [
    await on.rpc.getLatestBlockhash({ commitment: 'finalized' }).send(),
    await on.rpc.getLatestBlockhash({ commitment: 'confirmed' }).send(),
  ]
  expect(finalized.value.lastValidBlockHeight).toBeLessThan(confirmed.value.lastValidBlockHeight)
  expect(finalized.context.slot).toBeLessThan(confirmed.context.slot)
})

testHere('a transaction lands in the last block that its blockhash has, and in none after', async () => {
  await on.chain.setTick('off')
  const lifetime = await on.blockhash()
  const [payer, other] = [await on.newcomer(), await on.newcomer()]
  const [inTime, late] = [
    await on.sign(payer, [memo('in time')], lifetime),
    await on.sign(other, [memo('late')], lifetime),
  ]
  const land = async (wire: Base64EncodedWireTransaction) => {
    const signature = await on.rpc.sendTransaction(wire, skipPreflight).send()
    return (await on.rpc.getSignatureStatuses([signature]).send()).value[0]?.confirmationStatus
  }

  await on.chain.step(150)
  expect(await on.rpc.getBlockHeight(processed).send()).toBe(lifetime.lastValidBlockHeight)
  expect((await on.rpc.isBlockhashValid(lifetime.blockhash, processed).send()).value).toBe(true)
  expect(await land(inTime.wire)).toBe('confirmed')
  await on.chain.step(1)
  expect((await on.rpc.isBlockhashValid(lifetime.blockhash, processed).send()).value).toBe(false)
  expect(await land(late.wire)).toBeUndefined()
  await on.chain.setTick(400)
})

testHere('a node tries nothing that has less than 6 blocks left to reach the leader', async () => {
  await on.chain.setTick('off')
  const { wire } = await on.sign(await on.newcomer(), [memo('slow')])
  const ask = async () =>
    (await on.call('simulateTransaction', wire, { encoding: 'base64', commitment: 'processed' })).value.err
  await on.chain.step(144)
  expect(await ask()).toBeNull()
  await on.chain.step(1)
  expect(await ask()).toBe('BlockhashNotFound')
  await on.chain.setTick(400)
})

testHere('expireBlockhashes ends every transaction that was signed, and no new one', async () => {
  const [payer, other] = [await on.newcomer(), await on.newcomer()]
  const old = await on.sign(payer, [memo('old')])
  await on.chain.expireBlockhashes()
  expect(
    await on.call('sendTransaction', old.wire, { encoding: 'base64', preflightCommitment: 'confirmed' }),
  ).toMatchObject({
    error: { code: -32002, data: { err: 'BlockhashNotFound' } },
  })
  await on.run(other, [memo('new')])
})

testHere('a blockhash that a node at finalized does not know yet is not valid there', async () => {
  const { blockhash } = await on.blockhash()
  expect((await on.rpc.isBlockhashValid(blockhash, { commitment: 'finalized' }).send()).value).toBe(false)
  await on.chain.step(32)
  expect((await on.rpc.isBlockhashValid(blockhash, { commitment: 'finalized' }).send()).value).toBe(true)
})

test('tells the fee of a message, which is what it costs; and null when it cannot be sent any more', async () => {
  const payer = await on.newcomer()
  const limit = Buffer.from([2, 0x20, 0x4e, 0, 0]) // 20,000 units
  const price = Buffer.from([3, 0x50, 0xc3, 0, 0, 0, 0, 0, 0]) // 50,000 microlamports each
  const budget = [limit, price].map((data) => ({ programAddress: computeBudget, data }))
  const feeOf = async (lifetime?: Lifetime) => {
    const { transaction } = await on.sign(payer, [...budget, memo('dear')], lifetime)
    const message = Buffer.from(transaction.messageBytes).toString('base64')
    return (await on.call('getFeeForMessage', message, { commitment: 'confirmed' })).value
  }
  expect(await feeOf()).toBe(6_000)
  expect(await feeOf({ blockhash: strangeHash, lastValidBlockHeight: 0n })).toBeNull()

  await on.chain.step()
  await on.run(payer, [...budget, memo('dear')])
  expect(await on.chain.lamports(payer.address)).toBe(1_000_000_000n - 6_000n)
  const fees: Array<{ slot: number; prioritizationFee: number }> = await on.call('getRecentPrioritizationFees', [
    payer.address,
  ])
  expect(Math.max(...fees.map(({ prioritizationFee }) => prioritizationFee))).toBe(50_000)
})

test('bytes that are no message have no fee', async () => {
  expect(await on.call('getFeeForMessage', 'AQID')).toMatchObject({ error: { code: -32602 } })
})

const computeBudget = address('ComputeBudget111111111111111111111111111111')
const strangeHash = 'US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx' as Blockhash
