import { setTimeout as sleep } from 'node:timers/promises'
import {
  decodeFacilitatorRequest,
  encodeFacilitatorRequest,
  encodeVerdict,
  type FacilitatorRequest,
  type OnEvent,
  type Settlement,
  X402Error,
} from '@groat/core'
import { startRpcProxy, startTcpProxy, type TcpFault } from '@groat/sandbox'
import { openMemoryStore } from '@groat/store'
import { describe, expect, test } from 'vitest'
import { accountOf, useSvmFacilitator } from './svm-kit.js'

// Real tokens on the real runtime.

const on = useSvmFacilitator()
const payer = accountOf('payer').address
const seller = accountOf('seller').address
const sponsor = accountOf('facilitator').address

function transactionOf(settlement: Settlement): string {
  if (settlement.status !== 'settled') throw new Error(`not settled: ${JSON.stringify(settlement)}`)
  return settlement.receipt.transaction
}

/** Presents a payment until there is an end to it. */
async function ended(present: () => Promise<Settlement>): Promise<Settlement> {
  for (;;) {
    const settlement = await present()
    if (settlement.status !== 'unknown') return settlement
    await sleep(20)
  }
}

test('SVM-EXACT-060 a payment is verified and settled, and costs the fee payer what the payment said', async () => {
  const service = await on.serve()
  const request = await on.pay()
  const before = await on.chain.lamports(sponsor)
  expect(await service.verify(request)).toEqual({ ok: true, payer })
  const settlement = await service.settle(request)
  expect(settlement).toMatchObject({ status: 'settled', receipt: { payer, amount: 1000n } })
  expect(transactionOf(settlement)).toMatch(/^[1-9A-HJ-NP-Za-km-z]{80,88}$/)
  expect(before - (await on.chain.lamports(sponsor))).toBe(10_001n)
  expect(await on.journal().selectFrom('evidence').select(['transaction', 'fee']).execute()).toEqual([
    { transaction: transactionOf(settlement), fee: '10001' },
  ])
  await on.expectMoved(1)
  expect(on.faults).toEqual([])
})

test('B16 no more is spent in an hour than the operator allows, and verify, settle and health say so', async () => {
  const service = await on.serve({ limits: { feePerHour: () => 25_000n } })
  transactionOf(await service.settle(await on.pay()))
  transactionOf(await service.settle(await on.pay()))
  await on.expectMoved(2)
  const third = await on.pay()
  await expect
    .poll(
      () =>
        service.verify(third).then(
          ({ ok }) => ok,
          ({ code }) => code,
        ),
      { timeout: 5000 },
    )
    .toBe('fee_above_limit')
  await expect(service.settle(third)).rejects.toMatchObject({ code: 'fee_above_limit' })
  expect(await service.health()).toMatchObject({ ready: false, reasons: [{ part: 'chain', code: 'fee_above_limit' }] })
  await on.expectMoved(2)
  expect(await on.journal().selectFrom('attempt').select('max_cost').execute()).toEqual([
    { max_cost: '10001' },
    { max_cost: '10001' },
  ])
})

describe('copies', () => {
  test('SVM-EXACT-067 32 copies at once move the money once, and a replay is told the same', async () => {
    const service = await on.serve()
    const request = await on.pay()
    const outcomes = await Promise.all(Array.from({ length: 32 }, () => service.settle(request)))
    expect(new Set(outcomes.map(transactionOf)).size).toBe(1)
    expect(transactionOf(await service.settle(request))).toBe(outcomes.map(transactionOf)[0])
    await on.expectMoved(1)
  })

  test('SVM-EXACT-067 whatever stands in the slot of the fee payer, it is the same payment', async () => {
    const service = await on.serve()
    const request = await on.pay()
    const outcomes = await Promise.all([request, inAnotherSlot(request)].map((copy) => service.settle(copy)))
    expect(new Set(outcomes.map(transactionOf)).size).toBe(1)
    await on.expectMoved(1)
  })

  test('C04 two facilitators on one journal and one key', async () => {
    const [a, b] = [await on.serve(), await on.serve()]
    const requests = await Promise.all(Array.from({ length: 5 }, () => on.pay()))
    const outcomes = await Promise.all(requests.flatMap((request) => [a.settle(request), b.settle(request)]))
    expect(new Set(outcomes.map(transactionOf)).size).toBe(5)
    await on.expectMoved(5)
  })

  test('SVM-EXACT-068 what another journal has settled is not settled here', async () => {
    const request = await on.pay()
    const [here, elsewhere] = [await on.serve(), await openMemoryStore()]
    const other = await on.serve({ store: elsewhere })
    transactionOf(await here.settle(request))
    expect(await other.settle(request)).toEqual({ status: 'refused', code: 'payment_already_used', payer })
    await other.stop()
    await elsewhere.close()
  })

  test('SVM-EXACT-069 one payment for two sellers is one seller’s', async () => {
    const service = await on.serve()
    const request = await on.pay()
    const terms = { ...request.requirements, payTo: accountOf('payer2').address }
    const accepted = terms
    const greedy = { requirements: terms, payment: { ...request.payment, accepted } }
    transactionOf(await service.settle(request))
    expect(await service.settle(greedy)).toMatchObject({ status: 'refused' })
    const dearer = { ...request, requirements: { ...request.requirements, maxTimeoutSeconds: 59 } }
    expect(await service.settle(dearer)).toMatchObject({ status: 'refused', code: 'idempotency_mismatch' })
    await on.expectMoved(1)
  })

  function inAnotherSlot({ payment, requirements }: FacilitatorRequest): FacilitatorRequest {
    const bytes = Buffer.from(String(payment.payload.transaction), 'base64')
    bytes.fill(7, 1, 65)
    return { requirements, payment: { ...payment, payload: { transaction: bytes.toString('base64') } } }
  }
})

test('A04 20 payments at once all settle', async () => {
  const service = await on.serve()
  const requests = await Promise.all(Array.from({ length: 20 }, () => on.pay()))
  const outcomes = await Promise.all(requests.map((request) => service.settle(request)))
  expect(new Set(outcomes.map(transactionOf)).size).toBe(20)
  await on.expectMoved(20)
})

describe('a chain that takes its time', () => {
  test('SVM-EXACT-066 what is accepted and not seen is unknown, and sent again until it lands', async () => {
    const heal = on.chain.intercept(() => 'drop')
    const service = await on.serve({ settleTimeout: 100, rebroadcast: 50 })
    const request = await on.pay()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await on.sent()
    await on.expectMoved(0)
    heal()
    transactionOf(await ended(() => service.settle(request)))
    await on.expectMoved(1)
  })

  test('SVM-EXACT-065 it is dead when no block can take it any more, and not before', async () => {
    const heal = on.chain.intercept(() => 'drop')
    const service = await on.serve({ settleTimeout: 100 })
    const request = await on.pay()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await on.sent()
    // No block takes it any more, but that is not final yet.
    await on.chain.expireBlockhashes()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await on.chain.step(100)
    expect(await ended(() => service.settle(request))).toEqual({ status: 'refused', code: 'payment_expired', payer })
    heal()
    await sleep(300)
    await on.expectMoved(0)
    expect(await on.journal().selectFrom('attempt').select('status').execute()).toEqual([{ status: 'void' }])
  })

  test('SVM-EXACT-063 success waits for the commitment that was asked for', async () => {
    const service = await on.serve({ settleTimeout: 100, chain: { commitment: 'finalized' } })
    await on.chain.step(40)
    const request = await on.pay()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await on.sent()
    expect(await on.chain.balance(seller)).toBe(1000n)
    await on.chain.step(40)
    transactionOf(await ended(() => service.settle(request)))
    await on.expectMoved(1)
  })

  test('ENG-11 a settled payment is final when its slot is, and not before', async () => {
    const service = await on.serve({ watchInterval: 20, outbox: true })
    transactionOf(await service.settle(await on.pay()))
    const state = async () => (await on.journal().selectFrom('settlement').select('state').execute())[0]?.state
    await sleep(100)
    expect(await state()).toBe('settled')
    await on.chain.step(64)
    while ((await state()) !== 'final') await sleep(10)
    expect((await service.outbox.take(10)).map(({ topic }) => topic)).toEqual(['settled', 'final'])
    await on.expectMoved(1)
    expect(on.faults).toEqual([])
  })

  test('E12 a payment that a fork drops is sent again; one node that lags does not undo it', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    let asked = 0
    const askedAtReorg: number[] = []
    const onEvent: OnEvent = ({ type }) => void (type === 'payment_reorged' && askedAtReorg.push(asked))
    const service = await on.serve({ rpc: proxy.url, watchInterval: 20, onEvent })
    const request = await on.pay()
    transactionOf(await service.settle(request))
    const blind = proxy.use({
      method: 'getSignatureStatuses',
      fault: {
        action: 'rewrite',
        rewrite: (answer) => {
          asked += 1
          return { ...(answer as object), value: [null] }
        },
      },
    })
    while (askedAtReorg.length === 0) await sleep(5)
    blind()
    expect(askedAtReorg[0]).toBeGreaterThan(2)
    transactionOf(await ended(() => service.settle(request)))
    await on.expectMoved(1)
    await proxy.stop()
  })

  test('SVM-EXACT-062 a facilitator that starts again takes up what the journal says', async () => {
    const heal = on.chain.intercept(() => 'drop')
    const first = await on.serve({ settleTimeout: 50 })
    const request = await on.pay()
    expect(await first.settle(request)).toMatchObject({ status: 'unknown' })
    await on.sent()
    await first.stop()
    heal()
    const second = await on.serve({ rebroadcast: 50 })
    transactionOf(await ended(() => second.settle(request)))
    await on.expectMoved(1)
  })
})

describe('a node that misbehaves', () => {
  test('SVM-EXACT-062 an error in answer to a transaction that was taken: found by its own signature', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const fault = { action: 'error', code: -32005, message: 'Node is behind', forward: true } as const
    proxy.use({ method: 'sendTransaction', nth: 1, fault })
    const service = await on.serve({ rpc: proxy.url })
    const request = await on.pay()
    transactionOf(await ended(() => service.settle(request)))
    await on.expectMoved(1)
    await proxy.stop()
  })

  test('SVM-EXACT-065 a node that knows nothing of a transaction because it lags does not bury it', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const service = await on.serve({ rpc: proxy.url, settleTimeout: 100 })
    const request = await on.pay()
    const blind = proxy.use({
      method: 'getSignatureStatuses',
      fault: { action: 'result', result: { context: { slot: 1 }, value: [null] } },
    })
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await on.sent()
    await on.chain.step(400)
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    blind()
    transactionOf(await ended(() => service.settle(request)))
    await on.expectMoved(1)
    await proxy.stop()
  })

  test.each([
    ['from a snapshot', (slots: unknown) => (slots as unknown[]).slice(-3)],
    ['with a hole', (slots: unknown) => (slots as unknown[]).filter((_, i) => i !== 20)],
  ])('SVM-EXACT-077 a node that began anew %s, with fresh slots and no history, buries nothing', async (_, rewrite) => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const service = await on.serve({ rpc: proxy.url, settleTimeout: 100 })
    const thaw = on.chain.freeze()
    const request = await on.pay()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await on.sent()
    let forgotten = 0
    const forget = (answer: unknown) => {
      forgotten += 1
      return { ...(answer as object), value: [null] }
    }
    const heal = [
      proxy.use({ method: 'getSignatureStatuses', fault: { action: 'rewrite', rewrite: forget } }),
      proxy.use({ method: 'getBlocks', fault: { action: 'rewrite', rewrite } }),
    ]
    // A question that was put before the node forgot would be answered with what is to be seen after the thaw.
    while (forgotten === 0) await sleep(5)
    thaw()
    await on.chain.step(400)
    while (!on.faults.some(({ error }) => X402Error.is(error) && error.code === 'rpc_invalid_answer')) await sleep(20)
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    for (const each of heal) each()
    transactionOf(await ended(() => service.settle(request)))
    await on.expectMoved(1)
    await proxy.stop()
  })

  test('a transaction that cannot be sent holds up no other', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const heal = on.chain.intercept(() => 'drop')
    const service = await on.serve({ rpc: proxy.url, settleTimeout: 100, rebroadcast: 50 })
    const [stuck, free] = [await on.pay(), await on.pay('payer2')]
    for (const request of [stuck, free]) expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await on.sent(2)
    const message = String(stuck.payment.payload.transaction).slice(-100)
    let held = 0
    const isStuck = ({ params }: { params: unknown }) => {
      const is = JSON.stringify(params).includes(message)
      if (is) held += 1
      return is
    }
    const undo = proxy.use({
      method: 'sendTransaction',
      when: isStuck,
      fault: { action: 'error', code: -32005, message: 'behind' },
    })
    // What was on its way before would land when the chain heals.
    while (held === 0) await sleep(5)
    heal()
    transactionOf(await ended(() => service.settle(free)))
    await on.expectMoved(1)
    undo()
    transactionOf(await ended(() => service.settle(stuck)))
    await on.expectMoved(2)
    await proxy.stop()
  })

  test('SVM-EXACT-056 a node that cannot be reached is no verdict', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    const service = await on.serve({ rpc: proxy.url })
    const request = await on.pay()
    await proxy.stop()
    await expect(service.verify(request)).rejects.toMatchObject({ code: 'rpc_unreachable' })
    await expect(service.settle(request)).resolves.toMatchObject({ status: 'unknown' })
    await on.expectMoved(0)
  })

  test('SVM-EXACT-079 a node of another chain is not served through', async () => {
    const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
    proxy.use({
      method: 'getGenesisHash',
      fault: { action: 'result', result: '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d' },
    })
    await expect(on.serve({ rpc: proxy.url })).rejects.toMatchObject({ code: 'rpc_wrong_chain' })
    await proxy.stop()
  })
})

describe('a payment that would fail', () => {
  const refusalOf = async (request: FacilitatorRequest) => {
    const service = await on.serve()
    const verdict = await service.verify(request)
    const settlement = await service.settle(request)
    expect(settlement.status).toBe('refused')
    await on.expectMoved(0)
    expect(await on.journal().selectFrom('attempt').selectAll().execute()).toEqual([])
    const { code } = { code: undefined, ...settlement }
    return [verdict.ok ? 'ok' : verdict.code, code]
  }
  const twice = (code: string) => [code, code]

  test('SVM-EXACT-059 its blockhash is too old', async () => {
    const request = await on.pay()
    await on.chain.expireBlockhashes()
    expect(await refusalOf(request)).toEqual(twice('payment_expired'))
  })

  test('SVM-EXACT-058 the payer holds too little', async () => {
    expect(await refusalOf(await on.pay('issuer'))).toEqual(twice('invalid_exact_svm_insufficient_balance'))
  })

  test('SVM-EXACT-057 the recipient has no token account', async () => {
    const payTo = '7x8tS8W6jTGbNzPHk8fAoKmkzTc8EeULy2NmJWjYrMT4'
    expect(await refusalOf(await on.pay('payer', { payTo }))).toEqual(
      twice('invalid_exact_svm_destination_ata_missing'),
    )
  })

  test('SVM-EXACT-055 the recipient’s token account is frozen', async () => {
    await patchTokenAccount(accountOf('seller').usdcAccount, (data) => data.writeUInt8(2, 108))
    expect(await refusalOf(await on.pay())).toEqual(twice('invalid_exact_svm_destination_ata_unusable'))
  })

  test('SVM-EXACT-055 the recipient’s token account was given to somebody else', async () => {
    const thief = Buffer.alloc(32, 9)
    await patchTokenAccount(accountOf('seller').usdcAccount, (data) => thief.copy(data, 32))
    const service = await on.serve()
    expect(await service.verify(await on.pay())).toMatchObject({ code: 'invalid_exact_svm_destination_ata_unusable' })
  })

  test('SVM-EXACT-054 the payer’s token account is frozen', async () => {
    await patchTokenAccount(accountOf('payer').usdcAccount, (data) => data.writeUInt8(2, 108))
    expect(await refusalOf(await on.pay())).toEqual(twice('invalid_exact_svm_transaction_simulation_failed'))
  })

  test('a fee payer without money is no fault of the payment', async () => {
    const service = await on.serve()
    await on.chain.setAccount(sponsor, undefined)
    await expect(service.verify(await on.pay())).rejects.toMatchObject({ code: 'signer_out_of_gas' })
    expect(await service.health()).toMatchObject({ ready: false, reasons: [{ code: 'signer_out_of_gas' }] })
  })

  async function patchTokenAccount(address: string, patch: (data: Buffer) => void): Promise<void> {
    const state = await on.chain.getAccount(address)
    if (state?.data === undefined) throw new Error('no such account')
    const data = Buffer.from(state.data)
    patch(data)
    await on.chain.setAccount(address, { ...state, data })
  }
})

test('SVM-EXACT-064 a transaction that is included and fails ends the payment, and is not tried again', async () => {
  const service = await on.serve({ settleTimeout: 100 })
  const delayed = on.chain.intercept(() => ({ afterSlots: 3 }))
  const request = await on.pay()
  expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
  await on.sent()
  delayed()
  // Between the check and the block the money goes elsewhere.
  const state = await on.chain.getAccount(accountOf('payer').usdcAccount)
  const data = Buffer.from(state?.data ?? [])
  data.writeBigUInt64LE(1n, 64)
  await on.chain.setAccount(accountOf('payer').usdcAccount, { lamports: 0n, owner: '', ...state, data })
  await on.chain.step(3)
  expect(await ended(() => service.settle(request))).toEqual({
    status: 'refused',
    code: 'invalid_exact_svm_insufficient_balance',
    payer,
  })
  await on.expectMoved(0)
})

test('SVM-EXACT-084 whose payment failed on chain though it was good when it was tried waits ten minutes', async () => {
  let later = 0
  const service = await on.serve({ exact: { clock: () => Date.now() + later } })
  const delayed = on.chain.intercept(() => ({ afterSlots: 3 }))
  const work = service.settle(await on.pay())
  await on.sent()
  delayed()
  const { usdcAccount } = accountOf('payer')
  const full = await on.chain.getAccount(usdcAccount)
  if (full?.data === undefined) throw new TypeError('the payer has no account')
  const empty = Buffer.from(full.data)
  empty.writeBigUInt64LE(1n, 64)
  await on.chain.setAccount(usdcAccount, { ...full, data: empty })
  await on.chain.step(3)
  expect(await work).toMatchObject({ status: 'refused', code: 'invalid_exact_svm_insufficient_balance' })
  await on.chain.setAccount(usdcAccount, full)

  const [again, other] = [await on.pay(), await on.pay('payer2')]
  expect(await service.settle(again)).toEqual({ status: 'refused', code: 'payer_on_hold', payer })
  expect(await service.settle(other)).toMatchObject({ status: 'settled' })
  later = 601_000
  expect(await service.verify(again)).toMatchObject({ ok: true })
})

test('SVM-EXACT-023 a fee payer that offers name no more goes on to settle them', async () => {
  const service = await on.serve({ signers: ['facilitator2', 'facilitator'] })
  expect((await service.supported()).kinds.map(({ extra }) => extra?.feePayer)).toEqual([
    accountOf('facilitator2').address,
    accountOf('facilitator2').address,
  ])
  const request = await on.pay()
  const paid = transactionOf(await service.settle(request))
  await on.expectMoved(1)
  const stranger = await on.serve({ signers: ['facilitator3'] })
  // Who cannot sign for it knows what became of it all the same.
  expect(transactionOf(await stranger.settle(request))).toBe(paid)
  expect(await stranger.verify(await on.pay())).toMatchObject({
    code: 'invalid_exact_svm_fee_payer_not_managed_by_facilitator',
  })
})

describe('version 1', () => {
  const asked = async () => {
    const { payment, requirements } = await on.pay()
    const { accepted: _, ...older } = payment
    const request: FacilitatorRequest = {
      payment: { ...older, x402Version: 1 },
      requirements,
      resource: { url: 'https://a.example/' },
    }
    // By the wire and back, as a facilitator of version 1 is asked.
    return JSON.parse(JSON.stringify(encodeFacilitatorRequest(request)))
  }

  test('SVM-EXACT-081 a payment is settled for maxAmountRequired', async () => {
    const body = await asked()
    expect(body).toMatchObject({
      x402Version: 1,
      paymentRequirements: { maxAmountRequired: '1000', network: 'solana-devnet' },
    })
    const request = decodeFacilitatorRequest(body)
    if (!request.ok) throw new Error(request.code)
    transactionOf(await (await on.serve()).settle(request.value))
    await on.expectMoved(1)
  })

  test('SVM-EXACT-082 refusals have the names of their version', async () => {
    const body = await asked()
    body.paymentRequirements.extra.feePayer = seller
    const request = decodeFacilitatorRequest(body)
    if (!request.ok) throw new Error(request.code)
    const verdict = await (await on.serve()).verify(request.value)
    expect([encodeVerdict(1, verdict), encodeVerdict(2, verdict)]).toMatchObject([
      { invalidReason: 'fee_payer_not_managed_by_facilitator' },
      { invalidReason: 'invalid_exact_svm_fee_payer_not_managed_by_facilitator' },
    ])
  })
})

test('SVM-EXACT-061 what lands is what the payer signed, byte for byte', async () => {
  const service = await on.serve()
  const request = await on.pay()
  const signature = transactionOf(await service.settle(request))
  const answer = await fetch(on.chain.rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'getTransaction',
      params: [signature, { encoding: 'base64', commitment: 'confirmed', maxSupportedTransactionVersion: 0 }],
    }),
  })
  const { result } = (await answer.json()) as { result: { transaction: [string] } }
  const [landed, sent] = [result.transaction[0], String(request.payment.payload.transaction)].map((text) =>
    Buffer.from(text, 'base64'),
  )
  // Behind the number of signatures and the slot of the fee payer.
  expect(landed?.subarray(65)).toEqual(sent?.subarray(65))
  expect(sent?.subarray(1, 65)).toEqual(Buffer.alloc(64))
})

const ways: readonly TcpFault[] = [{ action: 'cut' }, { action: 'freeze' }]

test.each(ways)(
  'ENG-5, LIV-1 a replica whose nodes are away ($action) leaves what it took on and what it sent to one whose nodes answer, and takes part again when they do',
  async (fault) => {
    const node = new URL(on.chain.rpcUrl)
    const proxy = await startTcpProxy({ host: node.hostname, port: Number(node.port) })
    const calm = { lease: 1500, settleTimeout: 500 }
    const cut = await on.serve({ ...calm, rpc: `http://${proxy.host}:${proxy.port}` })
    const other = await on.serve(calm)
    const sent = await on.pay()
    const claimed = await on.pay()
    const heal = on.chain.intercept(() => 'drop')
    expect(await cut.settle(sent)).toMatchObject({ status: 'unknown' })
    await on.sent()
    proxy.set(fault)
    heal()
    expect(await cut.settle(claimed)).toMatchObject({ status: 'unknown' })
    for (const request of [sent, claimed]) await ended(() => other.settle(request))
    await on.expectMoved(2)
    proxy.set({ action: 'pass' })
    const back = await on.pay()
    await ended(() => cut.settle(back))
    await on.expectMoved(3)
    await Promise.all([cut.stop(), other.stop()])
    await proxy.stop()
  },
  60_000,
)
