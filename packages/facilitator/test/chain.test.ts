import { encodeFacilitatorRequest, isErrorCode, network, type Settlement, X402Error } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { startRpcProxy } from '@groat/sandbox'
import { openMemoryStore } from '@groat/store'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFacilitator, createFacilitatorApp, serveFacilitator } from '../src/index.js'
import { PRICE, until, useFacilitator } from './chain-kit.js'
import { mutationOf } from './mutation.js'

// Real USDC on a real node. What the engine decides in a race is in settle.test.ts; here it is money.

const on = useFacilitator()

function transactionOf(settlement: Settlement): string {
  if (settlement.status !== 'settled') throw new Error(`not settled: ${JSON.stringify(settlement)}`)
  return settlement.receipt.transaction
}

test('A02, FAC-047 32 copies at once move the money once', async () => {
  const service = await on.serve()
  const request = await on.pay()
  expect(await service.verify(request)).toMatchObject({ ok: true })
  const outcomes = await Promise.all(Array.from({ length: 32 }, () => service.settle(request)))
  expect(new Set(outcomes.map(transactionOf)).size).toBe(1)
  await on.expectMoved(1)
})

test('A04 20 payments at once on one signer all settle', async () => {
  const service = await on.serve()
  const requests = await Promise.all(Array.from({ length: 20 }, () => on.pay()))
  const outcomes = await Promise.all(requests.map((request) => service.settle(request)))
  for (const outcome of outcomes) transactionOf(outcome)
  await on.expectMoved(20)
})

test('A04 likewise where blocks take their time, with three signers', async () => {
  await on.chain.setIntervalMining(1)
  const service = await on.serve({ signers: ['facilitator', 'facilitator2', 'facilitator3'] })
  const roles = ['payer', 'payer2', 'payer3', 'payer4', 'payer5'] as const
  const requests = await Promise.all(Array.from({ length: 20 }, (_, i) => on.pay(roles[i % roles.length])))
  const outcomes = await Promise.all(requests.map((request) => service.settle(request)))
  for (const outcome of outcomes) transactionOf(outcome)
  await on.expectMoved(20)
})

test('A05, C04 two facilitators on one journal and one key', async () => {
  const [a, b] = [await on.serve(), await on.serve()]
  const requests = await Promise.all(Array.from({ length: 6 }, () => on.pay()))
  const outcomes = await Promise.all(requests.flatMap((request) => [a.settle(request), b.settle(request)]))
  for (const outcome of outcomes) transactionOf(outcome)
  await on.expectMoved(6)
})

describe('a node that misbehaves', () => {
  test('A07 the answer that waits for the block is lost, and so is the one after it: settled once all the same', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    proxy.use({ method: 'eth_sendRawTransactionSync', nth: 1, fault: { action: 'drop', forward: true } })
    proxy.use({ method: 'eth_sendRawTransaction', nth: 1, fault: { action: 'drop', forward: true } })
    const service = await on.serve({ rpc: proxy.url, sendAndWait: true })
    const requests = await Promise.all([on.pay(), on.pay('payer2'), on.pay('payer3')])
    const outcomes = await Promise.all(requests.map((request) => service.settle(request)))
    for (const outcome of outcomes) transactionOf(outcome)
    await on.expectMoved(3)
    await proxy.stop()
  })

  test('A07 the answer to a send is lost: found by its own hash', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    proxy.use({ method: 'eth_sendRawTransaction', nth: 1, fault: { action: 'drop', forward: true } })
    const service = await on.serve({ rpc: proxy.url })
    transactionOf(await service.settle(await on.pay()))
    await on.expectMoved(1)
    await proxy.stop()
  })

  test('A06 a send that never arrived goes out again under its own nonce, before the next', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    proxy.use({ method: 'eth_sendRawTransaction', nth: (n) => n <= 3, fault: { action: 'drop' } })
    const service = await on.serve({ rpc: proxy.url })
    const requests = await Promise.all([on.pay(), on.pay(), on.pay()])
    for (const outcome of await Promise.all(requests.map((request) => service.settle(request)))) transactionOf(outcome)
    const attempts = await on.tables().selectFrom('attempt').select(['nonce', 'status']).orderBy('nonce').execute()
    expect(attempts).toEqual(attempts.map((_, nonce) => ({ nonce, status: 'landed' })))
    await on.expectMoved(3)
    await proxy.stop()
  })

  test('B04 is away: nothing is decided, and settled when it is back', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const service = await on.serve({ rpc: proxy.url })
    const request = await on.pay()
    const heal = proxy.use({ fault: { action: 'status', status: 503 } })
    await expect(service.verify(request)).rejects.toMatchObject({ code: 'rpc_unreachable' })
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    heal()
    await until(async () => (await service.settle(request)).status === 'settled')
    await on.expectMoved(1)
    await proxy.stop()
  })

  test('B06 a receipt without logs is no evidence', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const rewrite = (receipt: unknown) => (receipt === null ? null : { ...(receipt as object), logs: undefined })
    const heal = proxy.use({ method: 'eth_getTransactionReceipt', fault: { action: 'rewrite', rewrite } })
    const service = await on.serve({ rpc: proxy.url })
    const request = await on.pay()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    heal()
    await until(async () => (await service.settle(request)).status === 'settled')
    await on.expectMoved(1)
    await proxy.stop()
  })

  test('EVM-EXACT-072 knows the state and not what happened: a settled payment is not buried when its time is over', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const service = await on.serve({ rpc: proxy.url, settleTimeout: 500 })
    await on.chain.setAutomine(false)
    const request = await on.pay()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    const heal = [
      proxy.use({ method: 'eth_getTransactionReceipt', fault: { action: 'result', result: null } }),
      proxy.use({ method: 'eth_getLogs', fault: { action: 'result', result: [] } }),
    ]
    await on.chain.mine()
    await on.chain.setAutomine(true)
    await on.chain.warp(200)
    await until(() => on.faults.some(({ error }) => X402Error.is(error) && error.code === 'rpc_invalid_answer'))
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    for (const each of heal) each()
    await until(async () => (await service.settle(request)).status === 'settled')
    await on.expectMoved(1)
    await proxy.stop()
  })

  test('A13 what was evicted from the pool is sent again', async () => {
    await on.chain.setAutomine(false)
    const service = await on.serve()
    const work = service.settle(await on.pay())
    const pooled = async () =>
      (await on.tables().selectFrom('attempt').select('hash').where('status', '=', 'sent').execute())[0]
    await until(async () => (await pooled()) !== undefined)
    const hash = (await pooled())?.hash as `0x${string}`
    await on.chain.dropTransaction(hash)
    const mined = async () => {
      await on.chain.mine()
      return (await on.tables().selectFrom('evidence').select('settlement').execute()).length === 1
    }
    await until(mined)
    expect(transactionOf(await work)).toBe(hash)
    await on.expectMoved(1)
  })
})

test('EVM-EXACT-074 a wallet that notices when it is only tried costs no gas', async () => {
  const wallet = `0x${'ab'.repeat(20)}` as const
  await on.chain.setCode(wallet, '0x3a601457631626ba7e60e01b60005260206000f35bfe')
  await on.chain.fund(wallet, PRICE)
  const service = await on.serve()
  const { requirements, payment } = await on.pay()
  const { authorization } = payment.payload as { authorization: object }
  const payload = { signature: `0x${'11'.repeat(70)}`, authorization: { ...authorization, from: wallet } }
  const before = await on.chain.nativeBalance(on.chain.account('facilitator').address)
  expect(await service.settle({ requirements, payment: { ...payment, payload } })).toMatchObject({
    status: 'refused',
    code: 'invalid_exact_evm_transaction_simulation_failed',
  })
  expect(await on.chain.nativeBalance(on.chain.account('facilitator').address)).toBe(before)
})

test('EVM-EXACT-076 a payment of nothing moves nothing and costs no gas', async () => {
  const service = await on.serve()
  const request = await on.pay('payer', { amount: 0n })
  const refusal = { code: 'invalid_payment_requirements', detail: 'amount' }
  expect(await service.verify(request)).toMatchObject(refusal)
  expect(await service.settle(request)).toMatchObject(refusal)
  expect(await on.tables().selectFrom('attempt').selectAll().execute()).toEqual([])
})

test('signers that have nothing for gas are known before anybody pays', async () => {
  const { rpcUrl } = on.chain
  const signers = [`0x${'33'.repeat(32)}`, `0x${'44'.repeat(32)}`]
  const poor = await createEvmChain({ network: network('base-sepolia'), rpc: rpcUrl, signers })
  const service = createFacilitator({ schemes: [exactEvm({ chains: [poor] })], store: on.store })
  await service.start()
  const reason = { part: 'chain', network: 'eip155:84532', code: 'signer_out_of_gas' }
  const reasons = poor.signers.map((signer) => ({ ...reason, signer }))
  expect(reasons).toHaveLength(2)
  expect(await service.health()).toEqual({ ready: false, reasons })
  await service.stop()
})

test('A17, D31 a payment that somebody else landed is settled, and credited once', async () => {
  const elsewhere = await openMemoryStore()
  const first = await on.serve({ store: elsewhere })
  const request = await on.pay()
  const landed = transactionOf(await first.settle(request))
  const second = await on.serve()
  expect(transactionOf(await second.settle(request))).toBe(landed)
  expect(transactionOf(await second.settle(request))).toBe(landed)
  await on.expectMoved(1)
  await first.stop()
  await elsewhere.close()
})

test('FAC-033 other terms for a settled payment, FAC-013 terms that the payer did not choose', async () => {
  const service = await on.serve()
  const request = await on.pay()
  transactionOf(await service.settle(request))
  const longer = { ...request.requirements, maxTimeoutSeconds: 121 }
  expect(await service.settle({ ...request, requirements: longer })).toMatchObject({ code: 'idempotency_mismatch' })
  const thief = { ...request.requirements, payTo: on.chain.account('issuer').address }
  expect(await service.settle({ ...request, requirements: thief })).toMatchObject({ code: 'no_matching_requirements' })
  const dearer = { ...request.requirements, amount: 5000n }
  expect(await service.settle({ ...request, requirements: dearer })).toMatchObject({ code: 'no_matching_requirements' })
  await on.expectMoved(1)
})

test('FAC-032 the receipt of a payment is had after it has expired', async () => {
  let now = Date.now()
  const service = await on.serve({ clock: () => now })
  const request = await on.pay()
  const first = await service.settle(request)
  now += 600_000
  expect(await service.settle(request)).toEqual(first)
  const longer = { ...request.requirements, maxTimeoutSeconds: 121 }
  const expired = { status: 'refused', code: 'invalid_exact_evm_payload_authorization_valid_before' }
  expect(await service.settle({ ...request, requirements: longer })).toMatchObject(expired)
  expect(await service.settle(await on.pay())).toMatchObject(expired)
  await on.expectMoved(1)
})

test('FAC-030 EVM-EXACT-060 A16 a payer that drained its account is refused before gas is spent', async () => {
  const service = await on.serve()
  const request = await on.pay('seller', { payTo: on.chain.account('issuer').address, amount: 10n ** 12n })
  expect(await service.settle(request)).toMatchObject({
    status: 'refused',
    code: 'invalid_exact_evm_insufficient_balance',
  })
  expect(await on.tables().selectFrom('attempt').selectAll().execute()).toEqual([])
})

test('over HTTP, in both versions', async () => {
  const service = await on.serve()
  const { url, close } = await serveFacilitator(service, { port: 0 })
  const post = async (path: string, body: unknown) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, body: await response.json() }
  }
  const { payment, requirements } = await on.pay()
  const { x402Version: _, accepted: __, ...rest } = payment
  const older = {
    payment: { ...rest, x402Version: 1 as const },
    requirements,
    resource: { url: 'https://shop.example/' },
  }
  const newer = await on.pay('payer2')
  expect(await post('/verify', encodeFacilitatorRequest(older))).toMatchObject({ body: { isValid: true } })
  expect(await post('/settle', encodeFacilitatorRequest(older))).toMatchObject({
    status: 200,
    body: { success: true, network: 'base-sepolia' },
  })
  expect(await post('/settle', encodeFacilitatorRequest(newer))).toMatchObject({
    status: 200,
    body: { success: true, network: 'eip155:84532' },
  })
  await close()
  await expect(fetch(`${url}/livez`)).rejects.toThrow('fetch failed')
  await on.expectMoved(2)
})

test('INV-20 whatever is done to a good request, every answer is an answer', async () => {
  const app = createFacilitatorApp(await on.serve())
  const good = encodeFacilitatorRequest(await on.pay())
  await fc.assert(
    fc.asyncProperty(mutationOf(good), fc.constantFrom('/verify', '/settle'), async (body, path) => {
      const headers = { 'content-type': 'application/json' }
      const response = await app.request(path, { method: 'POST', headers, body: JSON.stringify(body) })
      expect([200, 400]).toContain(response.status)
      const said = (await response.json()) as Record<string, unknown>
      const reason = said.invalidReason ?? said.errorReason
      expect(reason === undefined || isErrorCode(String(reason))).toBe(true)
      expect(on.faults).toEqual([])
    }),
    { numRuns: 200 },
  )
  // Some changes touch nothing that was signed: then it was settled, once.
  const settled = await on.tables().selectFrom('evidence').select('settlement').execute()
  await on.expectMoved(settled.length)
  expect(settled.length).toBeLessThanOrEqual(1)
})
