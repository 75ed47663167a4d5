import type { FacilitatorRequest, Settlement } from '@groat/core'
import type { EvmCall, EvmChain } from '@groat/evm/chain'
import { privateKeyAccount } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { undelegateSigner } from '@groat/evm/self-batch'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { checkHistory, delegate7702, deployErc1271Delegate } from '@groat/sandbox'
import { beforeEach, expect, test } from 'vitest'
import { settlingChain, until, useFacilitator } from './chain-kit.js'
import { recordHistory } from './record-history.js'

// What only the signer may send: together in a transaction of the signer to itself, or alone.

const on = useFacilitator()
const GWEI = 10n ** 9n
/** Those about whom the chain was asked whether they may join: they wait. */
let waiting: Set<string>
let chain: EvmChain

beforeEach(async () => {
  await on.delegate()
  waiting = new Set()
  const real = await settlingChain(on.chain.rpcUrl, ['facilitator'])
  const { groups } = real
  const admits = (call: EvmCall) => {
    waiting.add(call.payer ?? '')
    return groups?.admits(call) ?? Promise.resolve(false)
  }
  chain = Object.assign(Object.create(real), { groups: { ...groups, admits } })
})

const serve = () =>
  on.serve({ schemes: [exactEvm({ chains: [chain] }), uptoEvm({ chains: [chain] })], settleTimeout: 200 })
const keyOf = (at: number) => `0x${(at + 1).toString(16).padStart(64, '0')}`
const payerOf = (at: number) => privateKeyAccount(keyOf(at)).address
const rows = async (table: 'attempt' | 'evidence') => (await on.tables().selectFrom(table).selectAll().execute()).length
const attempts = () => on.tables().selectFrom('attempt').selectAll().orderBy('nonce').execute()
const expectLawful = async () =>
  expect(checkHistory(await recordHistory(on)).filter(({ status }) => status === 'broken')).toEqual([])

function receiptOf(settlement: Settlement) {
  if (settlement.status !== 'settled') throw new Error(`not settled: ${JSON.stringify(settlement)}`)
  return settlement.receipt
}

/** One payment stands in a transaction of its own, and so many others wait behind it. Answers come at once: what is not settled yet is unknown. */
async function queue(service: Awaited<ReturnType<typeof serve>>, count: number): Promise<FacilitatorRequest[]> {
  const requests = []
  for (let at = 0; at <= count; at++) requests.push(await on.payUpto(keyOf(at)))
  await on.chain.setAutomine(false)
  const [first, ...others] = requests
  await service.settle(first!)
  await until(async () => (await rows('attempt')) === 1)
  await Promise.all(others.map((request) => service.settle(request)))
  // All but the one that came when nobody was there; it is asked about when it leaves.
  await until(() => waiting.size >= count - 1)
  const { address } = on.chain.account('facilitator')
  const numbers = (blockTag: 'latest' | 'pending') => on.chain.client.getTransactionCount({ address, blockTag })
  await until(async () => (await numbers('pending')) > (await numbers('latest')))
  return requests
}

const mineUntilSettled = (count: number, baseFee?: bigint) =>
  until(async () => {
    if (baseFee !== undefined) await on.chain.setNextBaseFee(baseFee)
    await on.chain.mine()
    return (await rows('evidence')) === count
  })

test('EVM-UPTO-052 FAC-037 twenty payments of as many payers settle in one transaction, and the ledger says what the chain says', async () => {
  const service = await serve()
  const requests = await queue(service, 20)
  await mineUntilSettled(21)
  const receipts = (await Promise.all(requests.map((request) => service.settle(request)))).map(receiptOf)
  expect(new Set(receipts.map(({ transaction }) => transaction)).size).toBe(2)
  expect(new Set(receipts.map(({ transaction, extra }) => `${transaction} ${extra?.logIndex}`)).size).toBe(21)
  const together = await on.chain.client.getTransaction({ hash: receipts[1]?.transaction as `0x${string}` })
  expect(together.to).toBe(together.from)
  expect(await rows('attempt')).toBe(2)
  await on.expectMoved(21)
  await expectLawful()
}, 60_000)

test('FAC-111 one that fails among them changes nothing for the others', async () => {
  const service = await serve()
  const requests = await queue(service, 6)
  // Checked before, and not true any more.
  await on.chain.allow(payerOf(3), on.chain.permit2, 0n)
  await mineUntilSettled(6)
  const outcomes = await Promise.all(requests.map((request) => service.settle(request)))
  // It was sent, and its signature is good for some time yet (FAC-049).
  expect(outcomes[3]).toMatchObject({ status: 'unknown' })
  const settled = outcomes.filter((_, at) => at !== 3).map(receiptOf)
  expect(new Set(settled.map(({ transaction }) => transaction)).size).toBe(2)
  await on.expectMoved(6)
}, 60_000)

test('FAC-110 a delegation that is taken away while they are on their way: they settle alone', async () => {
  const service = await serve()
  const requests = await queue(service, 5)
  await on.chain.mine()
  await until(async () => (await rows('attempt')) === 2)
  await on.chain.setCode(on.chain.account('facilitator').address, '0x')
  await mineUntilSettled(6)
  const receipts = (await Promise.all(requests.map((request) => service.settle(request)))).map(receiptOf)
  expect(new Set(receipts.map(({ transaction }) => transaction)).size).toBe(6)
  await on.expectMoved(6)
  await expectLawful()
}, 60_000)

test('FAC-110 with a signer that runs nothing, or something else, and with a payer who runs code, payments settle alone', async () => {
  await delegate7702(on.chain, payerOf(2), await deployErc1271Delegate(on.chain))
  const service = await serve()
  const requests = await queue(service, 3)
  await mineUntilSettled(4)
  const receipts = (await Promise.all(requests.map((request) => service.settle(request)))).map(receiptOf)
  expect(receipts[1]?.transaction).toBe(receipts[3]?.transaction)
  expect(new Set(receipts.map(({ transaction }) => transaction)).size).toBe(3)
  await on.chain.setAutomine(true)
  const key = on.chain.account('facilitator').privateKey
  expect(
    await undelegateSigner(await settlingChain(on.chain.rpcUrl, ['facilitator']), privateKeyAccount(key)),
  ).toMatchObject({ ok: true })
  const more = await Promise.all([10, 11, 12].map((at) => on.payUpto(keyOf(at))))
  await Promise.all(more.map((request) => service.settle(request)))
  await until(async () => (await rows('evidence')) === 7)
  const alone = (await Promise.all(more.map((request) => service.settle(request)))).map(receiptOf)
  expect(new Set(alone.map(({ transaction }) => transaction)).size).toBe(3)
  await on.expectMoved(7)
}, 60_000)

test('A11 a group that the base fee has left behind is outbid, and lands once', async () => {
  const service = await serve()
  const requests = await queue(service, 4)
  await on.chain.mine()
  await until(async () => (await rows('attempt')) === 2)
  await mineUntilSettled(5, 20n * GWEI)
  const receipts = (await Promise.all(requests.map((request) => service.settle(request)))).map(receiptOf)
  expect(new Set(receipts.map(({ transaction }) => transaction)).size).toBe(2)
  const signed = await attempts()
  expect(signed.length).toBeGreaterThan(2)
  expect(new Set(signed.map(({ nonce }) => nonce)).size).toBe(2)
  await on.expectMoved(5)
}, 60_000)
