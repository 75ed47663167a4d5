import { type Settlement, X402Error, type X402Event } from '@groat/core'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { startRpcProxy } from '@groat/sandbox'
import { expect, test } from 'vitest'
import type { FacilitatorService } from '../src/index.js'
import { settleToEnd, settlingChain, until, useFacilitator } from './chain-kit.js'

// Lanes on a real node: payments that travel together, fees that rise, blocks that are undone.

const on = useFacilitator()
const GWEI = 10n ** 9n

function receiptOf(settlement: Settlement) {
  if (settlement.status !== 'settled') throw new Error(`not settled: ${JSON.stringify(settlement)}`)
  return settlement.receipt
}

const roles = ['payer', 'payer2', 'payer3', 'payer4', 'payer5'] as const
const payMany = (count: number) =>
  Promise.all(Array.from({ length: count }, (_, at) => on.pay(roles[at % roles.length])))
const attempts = () => on.tables().selectFrom('attempt').selectAll().orderBy('nonce').execute()

test('payments that wait together leave together, and each has a receipt of its own', async () => {
  await on.chain.setAutomine(false)
  const service = await on.serve({ depth: 1 })
  const [first, ...rest] = await payMany(21)
  const alone = service.settle(first!)
  await until(async () => (await attempts()).length === 1)
  const others = rest.map((request) => service.settle(request))
  const claimed = () => on.tables().selectFrom('settlement').select('pid').execute()
  await until(async () => (await claimed()).length === 21)
  await on.chain.mine()
  await until(async () => {
    await on.chain.mine()
    return (await on.tables().selectFrom('evidence').select('settlement').execute()).length === 21
  })
  const receipts = (await Promise.all([alone, ...others])).map(receiptOf)
  const places = receipts.map(({ transaction, extra }) => `${transaction} ${extra?.logIndex}`)
  expect(new Set(places).size).toBe(21)
  expect(receipts[0]?.extra).toBeUndefined()
  expect((await attempts()).length).toBeLessThan(6)
  await on.expectMoved(21)
})

test('one that fails in a group takes no other with it', async () => {
  await on.chain.setAutomine(false)
  const service = await on.serve({ depth: 1, settleTimeout: 200 })
  const [first, second, third] = [await on.pay('payer'), await on.pay('payer2'), await on.pay('payer3')]
  const work = [first, second, third].map((request) => service.settle(request))
  await Promise.all(work)
  // Whoever sees a payment can hand it in: then ours fails, and what it paid for is settled all the same.
  await until(async () => {
    await on.chain.mine()
    return (await on.tables().selectFrom('evidence').select('settlement').execute()).length === 3
  })
  for (const request of [first, second, third]) receiptOf(await service.settle(request))
  await on.expectMoved(3)
})

test('A11 a transaction that the base fee has left behind is outbid, and lands once', async () => {
  await on.chain.setAutomine(false)
  const service = await on.serve()
  const request = await on.pay()
  void service.settle(request)
  await until(async () => (await attempts()).length === 1)
  await on.chain.setNextBaseFee(20n * GWEI)
  await on.chain.mine()
  await until(async () => {
    await on.chain.setNextBaseFee(20n * GWEI)
    await on.chain.mine()
    return (await on.tables().selectFrom('evidence').select('settlement').execute()).length === 1
  })
  const { transaction } = receiptOf(await service.settle(request))
  const signed = await attempts()
  expect(signed.length).toBeGreaterThan(1)
  expect(new Set(signed.map(({ nonce }) => nonce)).size).toBe(1)
  expect(signed.map(({ hash, status }) => [hash === transaction, status])).toEqual(
    signed.map(({ hash }) => (hash === transaction ? [true, 'landed'] : [false, 'void'])),
  )
  await on.expectMoved(1)
})

test('A12 at the operator’s limit it stays as it is, takes nothing new, and goes on when fees fall', async () => {
  await on.chain.setAutomine(false)
  const service = await on.serve({ settleTimeout: 100, limits: { feePerPayment: () => 300_000n * 6n * GWEI } })
  const request = await on.pay()
  await service.settle(request)
  await until(async () => (await attempts()).length === 1)
  await until(async () => {
    await on.chain.setNextBaseFee(200n * GWEI)
    await on.chain.mine()
    return (await service.health()).reasons.some((reason) => 'code' in reason && reason.code === 'fee_above_limit')
  })
  await expect(service.settle(await on.pay('payer2'))).rejects.toMatchObject({ code: 'fee_above_limit' })
  await until(async () => {
    await on.chain.setNextBaseFee(GWEI)
    await on.chain.mine()
    return (await service.settle(request)).status === 'settled'
  })
  await on.expectMoved(1)
})

test('B16 no more is spent in an hour than the operator allows', async () => {
  const events: X402Event[] = []
  const service = await on.serve({ limits: { feePerHour: () => 1n }, onEvent: (event) => events.push(event) })
  const request = await on.pay()
  await expect(service.verify(request)).rejects.toMatchObject({ code: 'fee_above_limit' })
  await expect(service.settle(request)).rejects.toMatchObject({ code: 'fee_above_limit' })
  expect(await attempts()).toEqual([])
  const [{ cost = 0n, left } = {}] = events.filter(({ type }) => type === 'lane_blocked')
  expect([left, cost > 1n]).toEqual([1n, true])
  await on.chain.mine()
  await on.expectMoved(0)
})

test('B16 an hour that is used up is what verify, settle and health of every replica say, and nothing that was turned away for it moves later', async () => {
  const signers = ['facilitator', 'facilitator2'] as const
  const limits = { feePerHour: () => 300_000n * 10n * GWEI }
  const options = { signers, limits, settleTimeout: 300, lease: 1000 }
  const setFee = async (fee: bigint) => {
    await on.chain.setNextBaseFee(fee)
    await on.chain.mine()
    // For a second a fee that was read is good.
    await new Promise((resolve) => setTimeout(resolve, 1050))
  }
  const first = await on.serve(options)
  receiptOf(await settleToEnd(first, await on.pay()))
  await setFee(20n * GWEI)
  const waiting = await on.pay('payer2', { maxTimeoutSeconds: 300 })
  const full = { code: 'fee_above_limit' }
  await expect(first.settle(waiting)).rejects.toMatchObject(full)
  const other = await on.pay('payer3')
  const said = (service: FacilitatorService) =>
    Promise.all([service.verify(other), service.settle(other)].map((each) => each.catch(({ code }) => code)))
  await until(async () => (await first.health()).reasons.length > 0)
  const second = await on.serve(options)
  // It has a lane as soon as the first has let one go.
  await until(async () => (await second.health()).reasons.length > 0)
  for (const service of [first, second]) {
    expect(await said(service)).toEqual(['fee_above_limit', 'fee_above_limit'])
    expect((await service.health()).reasons).toMatchObject([{ part: 'chain', code: 'fee_above_limit' }])
  }
  await expect(second.settle(waiting)).rejects.toMatchObject(full)
  await setFee(GWEI)
  await until(async () => (await first.health()).ready && (await second.health()).ready)
  await on.expectMoved(1)
  receiptOf(await settleToEnd(second, waiting))
  receiptOf(await settleToEnd(first, other))
  expect(await first.health()).toMatchObject({ ready: true })
  await on.expectMoved(3)
}, 30_000)

test('B16 what one payment may cost at the most is nothing to the others', async () => {
  let most = 1n
  const limits = { feePerHour: () => 10n ** 18n, feePerPayment: () => most }
  const service = await on.serve({ settleTimeout: 300, limits })
  const dear = await on.pay()
  await expect(service.settle(dear)).rejects.toMatchObject({ code: 'fee_above_limit' })
  expect(await service.health()).toMatchObject({ ready: true })
  most = 10n ** 17n
  expect(await service.settle(await on.pay('payer2'))).toMatchObject({ status: 'settled' })
  // It was taken back: it moves when it is presented again, and not before.
  await on.expectMoved(1)
  expect(await service.settle(dear)).toMatchObject({ status: 'settled' })
})

test('A14 a block that is undone after a success is noticed, and the payment lands again', async () => {
  const service = await on.serve({ watchInterval: 50, rebroadcast: 100 })
  const request = await on.pay()
  const first = receiptOf(await service.settle(request))
  await on.chain.reorg(1)
  const events = () =>
    on
      .tables()
      .selectFrom('event')
      .select('to_state')
      .execute()
      .then((rows) => rows.map(({ to_state }) => to_state))
  await until(async () => (await events()).includes('reorged'))
  await until(async () => (await service.settle(request)).status === 'settled')
  expect(receiptOf(await service.settle(request)).transaction).toBe(first.transaction)
  expect(await attempts()).toMatchObject([{ status: 'landed' }])
  await on.expectMoved(1)
})

test.each([
  ['at once', false],
  ['also when its node goes on for a while with the numbers of before', true],
])('A14 what is undone after another replica took its lane goes out again from there, %s', async (_, isLate) => {
  const quick = { watchInterval: 50, rebroadcast: 100, lease: 500, signers: ['facilitator', 'facilitator2'] as const }
  const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
  const first = await on.serve(quick)
  // One after the other: with two lanes, each payer goes by one of them.
  for (const request of await payMany(5)) receiptOf(await first.settle(request))
  await on.serve({ ...quick, rpc: proxy.url })
  const owners = async () => (await on.tables().selectFrom('lane').select('owner').execute()).map(({ owner }) => owner)
  await until(async () => new Set(await owners()).size === 2 && !(await owners()).includes(null))
  const fault = { action: 'result', result: '0x5' } as const
  const mend = isLate ? proxy.use({ method: 'eth_getTransactionCount', fault }) : () => {}
  await on.chain.reorg(5)
  const came = () => on.tables().selectFrom('event').select('pid').where('to_state', '=', 'reorged').execute()
  await until(async () => new Set((await came()).map(({ pid }) => pid)).size === 5)
  await new Promise((resolve) => setTimeout(resolve, isLate ? 1500 : 0))
  mend()
  await until(async () => (await on.tables().selectFrom('evidence').select('settlement').execute()).length === 5)
  await on.expectMoved(5)
  await proxy.stop()
})

test('ENG-11 a payment that has to be deep is not called settled before it is, and is final in the end', async () => {
  await on.chain.setAutomine(false)
  const service = await on.serve({ settleTimeout: 100, finality: () => 3, watchInterval: 50 })
  const request = await on.pay()
  await service.settle(request)
  const state = async () => (await on.tables().selectFrom('settlement').select('state').executeTakeFirst())?.state
  // A block that comes before the node has it would be the last for a while.
  await until(async () => (await state()) === 'sent')
  await on.chain.mine()
  await until(async () => (await state()) === 'mined')
  expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
  await on.chain.mine(2)
  await until(async () => (await service.settle(request)).status === 'settled')
  await on.chain.mine(80)
  await until(async () => (await state()) === 'final')
  await on.expectMoved(1)
})

test('a payer with exactly enough pays again while its first payment is not deep enough', async () => {
  const service = await on.serve({ settleTimeout: 100, finality: () => 3, watchInterval: 50 })
  const first = await on.payFrom(`0x${'71'.repeat(32)}`)
  const second = await on.payFrom(`0x${'71'.repeat(32)}`)
  await on.chain.setAutomine(false)
  const states = async () =>
    (await on.tables().selectFrom('settlement').select('state').orderBy('id').execute()).map(({ state }) => state)
  await service.settle(first)
  await until(async () => (await states())[0] === 'sent')
  await on.chain.mine()
  await until(async () => (await states())[0] === 'mined')
  await service.settle(second)
  await until(async () => (await states())[1] === 'sent')
  await on.chain.mine(3)
  await until(async () => (await states()).every((state) => state === 'settled'))
  await on.expectMoved(2)
})

test('A06 a nonce that nothing of ours will use any more is filled, and those behind it land', async () => {
  const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
  const service = await on.serve({ rpc: proxy.url })
  receiptOf(await service.settle(await on.pay()))
  // A backup that is older than what was sent: the journal is one nonce ahead of the chain, and has nothing for it.
  await on.store
    .withTables<{ lane: { next: number } }>()
    .transaction((trx) => trx.updateTable('lane').set({ next: 2 }).execute())
  await service.stop()
  const second = await on.serve({ rpc: proxy.url })
  receiptOf(await second.settle(await on.pay('payer2')))
  expect((await attempts()).map(({ nonce }) => nonce)).toEqual([0, 1, 2])
  await on.expectMoved(2)
  await proxy.stop()
})

test('INV-6 INV-8 a number that something else used with the same key, after ours was sent, is noticed, and the payments are signed again', async () => {
  await on.chain.setAutomine(false)
  const service = await on.serve({ depth: 1, settleTimeout: 500, rebroadcast: 600_000, nodeLag: () => 500 })
  const [first, ...others] = await payMany(4)
  await service.settle(first!)
  await Promise.all(others.map((request) => service.settle(request)))
  const settled = async () => (await on.tables().selectFrom('evidence').select('settlement').execute()).length
  await on.chain.mine()
  await until(async () => (await settled()) === 1 && (await attempts())[1]?.status === 'sent')
  const [, ours] = await attempts()
  await on.chain.dropTransaction(ours!.hash as `0x${string}`)
  const nothing = { from: ours!.signer, to: ours!.signer, nonce: '0x1', gas: '0x5208' }
  await on.chain.client.request({ method: 'eth_sendTransaction', params: [nothing] } as never)
  await on.chain.mine()
  await until(async () => {
    await on.chain.mine()
    return (await settled()) === 4
  })
  expect((await attempts())[1]).toMatchObject({ nonce: 1, status: 'void', hash: ours!.hash })
  for (const request of [first!, ...others]) receiptOf(await service.settle(request))
  await on.expectMoved(4)
})

test('INV-6 INV-8 what landed though nobody heard so is not given up by a node that says its number is gone, while nodes may be late', async () => {
  let isLate = true
  const when = () => isLate
  const lost = { action: 'error', code: -32000, message: 'internal error', forward: true } as const
  const proxy = await startRpcProxy({
    target: on.chain.rpcUrl,
    rules: [
      { method: 'eth_sendRawTransaction', nth: 1, fault: lost },
      { method: 'eth_getTransactionReceipt', when, fault: { action: 'result', result: null } },
      { method: 'eth_getLogs', when, fault: { action: 'result', result: [] } },
    ],
  })
  const service = await on.serve({ rpc: proxy.url, settleTimeout: 1500 })
  const request = await on.pay()
  expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
  expect((await attempts()).map(({ status }) => status)).toEqual(['signed'])
  isLate = false
  receiptOf(await settleToEnd(service, request))
  expect((await attempts()).map(({ status }) => status)).toEqual(['landed'])
  await on.expectMoved(1)
  await proxy.stop()
})

test.each([1, 3])(
  'INV-11 of nodes that answer as one, one that is late costs no gas: it is waited for (settled %i deep)',
  async (depth) => {
    const { rpc } = await settlingChain(on.chain.rpcUrl, ['facilitator'])
    let late: bigint | undefined
    const call: typeof rpc.call = async (request, block) => {
      if (late !== undefined && typeof block === 'bigint' && block > late) throw new X402Error('rpc_invalid_answer')
      return rpc.call(request, typeof block === 'bigint' ? block : (late ?? block))
    }
    const schemes = [exactEvm({ chains: [await settlingChain({ ...rpc, call }, ['facilitator'])] })]
    const service = await on.serve({ schemes, settleTimeout: 300, finality: () => depth, watchInterval: 50 })
    const key = `0x${'71'.repeat(31)}0${depth}`
    const [first, second] = [await on.payFrom(key), await on.payFrom(key, 0n)]
    const { number } = await rpc.latestBlock()
    await service.settle(first)
    await until(async () => (await attempts()).length === 1)
    // There the payer still has the money of the first payment.
    late = number
    expect(await service.settle(second)).toMatchObject({ status: 'unknown' })
    expect(await attempts()).toHaveLength(1)
    late = undefined
    const refusal = { status: 'refused', code: 'invalid_exact_evm_insufficient_balance' }
    expect(await settleToEnd(service, second)).toMatchObject(refusal)
    expect(await attempts()).toHaveLength(1)
  },
)

/** One signer has next to nothing for gas, the other has plenty; a dozen payers come at once. */
async function besideOneThatCannotPay(coin: bigint) {
  await on.setCoin('facilitator', coin)
  const events: X402Event[] = []
  const service = await on.serve({
    signers: ['facilitator', 'facilitator2'],
    ...{ depth: 1, settleTimeout: 5000, lease: 500, onEvent: (event) => events.push(event) },
  })
  const requests = await Promise.all(
    Array.from({ length: 12 }, (_, at) => on.payFrom(`0x${(at + 0x71).toString(16).repeat(32)}`)),
  )
  const settlements = await Promise.all(requests.map((request) => service.settle(request)))
  const [poor, rich] = [on.chain.account('facilitator').address, on.chain.account('facilitator2').address]
  const told = () => events.filter(({ type }) => type === 'lane_blocked' || type === 'lane_unblocked')
  return { service, settlements, requests, poor, rich, told }
}

test('A19 a signer that has nothing for gas signs nothing, and another one settles for all', async () => {
  const { service, settlements, poor, rich, told } = await besideOneThatCannotPay(0n)
  settlements.forEach(receiptOf)
  const signers = (await attempts()).map(({ signer }) => signer.toLowerCase())
  expect([...new Set(signers)]).toEqual([rich.toLowerCase()])
  const network = 'eip155:84532'
  expect(await service.health()).toMatchObject({
    ready: true,
    reasons: [],
    notes: [{ part: 'chain', network, code: 'signer_out_of_gas', signer: poor }],
  })
  const about = { network, signer: poor }
  expect(told()).toMatchObject([{ type: 'lane_blocked', code: 'signer_out_of_gas', ...about }])
  await on.setCoin('facilitator', 10n ** 18n)
  await until(() => told().length > 1)
  expect(told()).toMatchObject([{}, { type: 'lane_unblocked', ...about }])
  await until(async () => (await service.health()).notes === undefined)
  await on.expectMoved(12)
})

test('A19 INV-6 what was signed by a signer that turns out to have too little waits for it, and all the rest goes elsewhere', async () => {
  const { service, settlements, requests, poor, told } = await besideOneThatCannotPay(1n)
  const stuck = await on
    .tables()
    .selectFrom('ride')
    .innerJoin('attempt', 'attempt.slot', 'ride.slot')
    .select('ride.settlement')
    .where('attempt.signer', '=', poor)
    .distinct()
    .execute()
  expect(stuck.length).toBeGreaterThan(0)
  expect(settlements.filter(({ status }) => status === 'settled')).toHaveLength(12 - stuck.length)
  expect(told()).toMatchObject([{ type: 'lane_blocked', code: 'signer_out_of_gas', signer: poor }])
  await on.setCoin('facilitator', 10n ** 18n)
  for (const request of requests) receiptOf(await settleToEnd(service, request))
  expect(told()).toMatchObject([{}, { type: 'lane_unblocked' }])
  await on.expectMoved(12)
})

test('A19 what is claimed while nobody can send ends when its time is over, and goes to whoever can sooner', {
  timeout: 60_000,
}, async () => {
  await on.setCoin('facilitator', 0n)
  const quick = { settleTimeout: 100, lease: 500 }
  await on.serve(quick)
  // The lane is another's: it hands over what it claims.
  const service = await on.serve(quick)
  const [short, long] = [await on.pay('payer', { maxTimeoutSeconds: 9 }), await on.pay('payer2')]
  for (const request of [short, long]) expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
  const states = () => on.tables().selectFrom('settlement').select(['state', 'reason']).orderBy('id').execute()
  await until(async () => (await states())[0]?.state === 'refused')
  expect(await states()).toEqual([
    { state: 'refused', reason: 'payment_expired' },
    { state: 'claimed', reason: null },
  ])
  expect(await service.settle(short)).toMatchObject({ status: 'refused' })
  await on.setCoin('facilitator', 10n ** 18n)
  receiptOf(await settleToEnd(service, long))
  await on.expectMoved(1)
})

test('A14 INV-9 a transaction that failed, and whose block is undone, lands after all, and that is what its payment comes to', async () => {
  const chain = await settlingChain(on.chain.rpcUrl, ['facilitator'])
  const service = await on.serve({ settleTimeout: 500, schemes: [uptoEvm({ chains: [chain] })] })
  const request = await on.payUpto(`0x${'7'.repeat(64)}`, 60)
  const { from: payer } = request.payment.payload.permit2Authorization as { readonly from: `0x${string}` }
  await on.chain.mine()
  await on.chain.setAutomine(false)
  expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
  await on.chain.allow(payer, on.chain.permit2, 0n)
  await on.chain.mine()
  const statuses = async () =>
    (await on.tables().selectFrom('attempt').select('status').execute()).map((row) => row.status)
  await until(async () => (await statuses()).join() === 'failed')
  const { raw } = await on.tables().selectFrom('attempt').select('raw').executeTakeFirstOrThrow()
  await on.chain.reorg(1)
  await on.chain.allow(payer, on.chain.permit2, 2n ** 255n)
  await on.chain.client.sendRawTransaction({ serializedTransaction: raw as `0x${string}` })
  await on.chain.mine()
  await on.chain.setAutomine(true)
  expect(await settleToEnd(service, request)).toMatchObject({ status: 'settled' })
  expect((await statuses())[0]).toBe('landed')
  await on.expectMoved(1)
})
