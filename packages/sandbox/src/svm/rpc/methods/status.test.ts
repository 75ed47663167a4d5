import { expect, test } from 'vitest'
import { testHere, useSvm } from '../../../../test/svm-kit.js'

const on = useSvm()

test('is healthy', async () => {
  expect(await on.call('getHealth')).toBe('ok')
  const health = await fetch(`${on.chain.rpcUrl}/health`)
  expect(await health.text()).toBe('ok')
})

testHere('says what it is: the runtime’s version, and devnet', async () => {
  expect(await on.call('getVersion')).toEqual({ 'solana-core': '4.3.0', 'feature-set': expect.any(Number) })
  const genesisHash = await on.rpc.getGenesisHash().send()
  expect(genesisHash).toBe('EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG')
  expect(on.chain.network).toBe(`solana:${genesisHash.slice(0, 32)}`)
})

test('tells slots and heights at each commitment; finalized is behind', async () => {
  const at = (commitment: 'processed' | 'confirmed' | 'finalized') => on.rpc.getSlot({ commitment }).send()
  const [finalized, confirmed, processed] = [await at('finalized'), await at('confirmed'), await at('processed')]
  expect(finalized).toBeLessThan(confirmed)
  expect(confirmed).toBeLessThanOrEqual(processed)
  const { absoluteSlot, blockHeight, epoch, slotIndex, slotsInEpoch } = await on.rpc
    .getEpochInfo({ commitment: 'confirmed' })
    .send()
  expect(absoluteSlot).toBeGreaterThanOrEqual(confirmed)
  expect(epoch * slotsInEpoch + slotIndex).toBe(absoluteSlot)
  expect(await on.rpc.getBlockHeight({ commitment: 'confirmed' }).send()).toBeGreaterThanOrEqual(blockHeight)
})

testHere('a height is not a slot', async () => {
  expect(await on.rpc.getBlockHeight().send()).toBeLessThan(await on.rpc.getSlot().send())
})

test('lists the slots that have a block, up to a commitment', async () => {
  const slotAt = (commitment: 'finalized' | 'processed') => on.rpc.getSlot({ commitment }).send()
  const [final, newest] = [await slotAt('finalized'), await slotAt('processed')]
  const slots = await on.rpc.getBlocks(final - 3n, newest, { commitment: 'finalized' }).send()
  expect(slots).toContain(final)
  expect(slots).not.toContain(newest)
  expect(await on.call('getBlocks', 1, 500_002)).toMatchObject({ error: { code: -32602 } })
})

test('step makes blocks', async () => {
  const before = {
    slot: await on.chain.slot(),
    height: await on.rpc.getBlockHeight({ commitment: 'processed' }).send(),
  }
  await on.chain.step(3)
  expect(await on.chain.slot()).toBeGreaterThanOrEqual(before.slot + 3n)
  expect(await on.rpc.getBlockHeight({ commitment: 'processed' }).send()).toBeGreaterThanOrEqual(before.height + 3n)
})

test('counts transactions', async () => {
  const count = async () => (await on.rpc.getEpochInfo({ commitment: 'processed' }).send()).transactionCount ?? 0n
  const before = await count()
  await on.newcomer()
  expect(await count()).toBeGreaterThan(before)
})

test('waits for no slot that is to come', async () => {
  const minContextSlot = Number(await on.chain.slot()) + 1_000
  expect(await on.call('getBalance', on.chain.usdc, { commitment: 'processed', minContextSlot })).toEqual({
    error: {
      code: -32016,
      message: 'Minimum context slot has not been reached',
      data: { contextSlot: expect.any(Number) },
    },
  })
})

test('a method that is not there, and a commitment that is none', async () => {
  expect(await on.call('getRich')).toEqual({ error: { code: -32601, message: 'Method not found' } })
  expect(await on.call('toString')).toEqual({ error: { code: -32601, message: 'Method not found' } })
  expect(await on.call('getSlot', { commitment: 'sure' })).toMatchObject({ error: { code: -32602 } })
})
