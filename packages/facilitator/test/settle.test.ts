import {
  type FacilitatorRequest,
  network,
  requirementsId,
  type Settlement,
  sha256Hex,
  X402Error,
  type X402Event,
} from '@groat/core'
import { openMemoryStore, type Store } from '@groat/store'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFacilitator, type FacilitatorOptions, type FacilitatorService, type Fault } from '../src/index.js'
import type { JournalTables } from '../src/journal/tables.js'
import { systemTimers, type Timers } from '../src/timers.js'
import { createFakeScheme, FakeChain, makePayment, NETWORK, PAYER, SELLER, unreachable } from './fake-chain.js'

let chain: FakeChain
let store: Store
let faults: Fault[]
let services: FacilitatorService[]

beforeEach(async () => {
  chain = new FakeChain()
  store = await openMemoryStore()
  faults = []
  services = []
})

afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()))
  await store.close()
})

async function serve(options: Partial<FacilitatorOptions> = {}): Promise<FacilitatorService> {
  const service = createFacilitator({
    schemes: [createFakeScheme(chain)],
    store,
    onFault: (fault) => faults.push(fault),
    rebroadcast: 20,
    stopTimeout: 50,
    lease: 300,
    ...options,
  })
  services.push(service)
  await service.start()
  return service
}

function tables() {
  return store.withTables<JournalTables>().db
}

/** Ledger = chain, and one transaction at most that did anything for each payment. */
async function expectOnce(times: number) {
  const evidence = await tables().selectFrom('evidence').selectAll().execute()
  expect(chain.balance(SELLER)).toBe(BigInt(times) * 1000n)
  expect(evidence.reduce((sum, { amount }) => sum + BigInt(amount), 0n)).toBe(chain.balance(SELLER))
  expect(new Set(evidence.map(({ transaction }) => transaction)).size).toBe(times)
}

/** A store that its process has no hold of any more, once that is dead. */
function mortalStore(real: Store): { mortal: Store; die(): void } {
  let dead = false
  const wrap = (inner: Store): Store =>
    new Proxy(inner, {
      get(target, key) {
        if (key === 'withTables') return () => wrap(target)
        if (key === 'transaction' && dead) return () => new Promise(() => {})
        return Reflect.get(target, key)
      },
    })
  return {
    mortal: wrap(real),
    die() {
      dead = true
    },
  }
}

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2))
}

function settled(settlement: Settlement): string {
  if (settlement.status !== 'settled') throw new Error(`not settled: ${JSON.stringify(settlement)}`)
  return settlement.receipt.transaction
}

describe('one payment', () => {
  test('FAC-038 is settled with a receipt', async () => {
    const service = await serve()
    const request = makePayment()
    const outcome = await service.settle(request)
    expect(outcome).toEqual({
      status: 'settled',
      receipt: { payer: PAYER, network: NETWORK, transaction: chain.logs[0]?.transaction, amount: 1000n },
    })
    await expectOnce(1)
    const events = await tables().selectFrom('event').select(['to_state', 'code']).orderBy('seq').execute()
    // Whether it is also written down that it was sent depends on how soon its block comes.
    expect(events.filter(({ to_state }) => to_state !== 'sent')).toEqual([
      { to_state: 'claimed', code: null },
      { to_state: 'signed', code: null },
      { to_state: 'settled', code: null },
    ])
    expect(await tables().selectFrom('attempt').select(['nonce', 'status']).execute()).toEqual([
      { nonce: 0, status: 'landed' },
    ])
  })

  test('FAC-032 presented again has the same receipt, also after it has expired', async () => {
    let now = Date.now()
    const service = await serve({ clock: () => now })
    const request = makePayment()
    const first = await service.settle(request)
    expect(await service.settle(request)).toEqual(first)
    now += 3_600_000
    expect(await service.settle(request)).toEqual(first)
    await expectOnce(1)
  })

  test('FAC-050 a copy with another signature is not told that it was settled, in time or late', async () => {
    let now = Date.now()
    const service = await serve({ clock: () => now })
    const request = makePayment()
    const { payment } = request
    const forged = { ...request, payment: { ...payment, payload: { ...payment.payload, signature: 'bad' } } }
    const used = { status: 'refused', code: 'payment_already_used', payer: PAYER }
    const first = await service.settle(request)
    expect(await service.settle(forged)).toEqual(used)
    now += 3_600_000
    expect(await service.settle(forged)).toEqual(used)
    expect(await service.settle(request)).toEqual(first)
    await expectOnce(1)
  })

  test('FAC-050 INV-8 a copy that nothing was signed for does not have the good one refused for ever', async () => {
    const service = await serve({ settleTimeout: 200 })
    const request = makePayment()
    const { payment } = request
    const forged = { ...request, payment: { ...payment, payload: { ...payment.payload, signature: 'bad' } } }
    let isGone = true
    chain.disturb = (method) => {
      if (isGone && method === 'verify') throw unreachable()
    }
    expect(await service.settle(forged)).toMatchObject({ status: 'unknown' })
    // The node is gone, or time runs out: nobody knows yet what becomes of either.
    const behind = { status: 'refused', code: 'payment_in_flight', payer: PAYER }
    expect([await service.settle(request), await service.settle(request)]).toEqual([behind, behind])
    isGone = false
    let outcome = await service.settle(request)
    while (outcome.status !== 'settled') {
      if (outcome.status !== 'unknown') expect(outcome).toEqual(behind)
      outcome = await service.settle(request)
    }
    await expectOnce(1)
  })

  test('FAC-031 FAC-047 32 copies at once move money once', async () => {
    const service = await serve()
    const request = makePayment()
    const outcomes = await Promise.all(Array.from({ length: 32 }, () => service.settle(request)))
    expect(new Set(outcomes.map(settled)).size).toBe(1)
    expect(chain.seen).toHaveLength(1)
    await expectOnce(1)
  })

  test('FAC-033 is refused under other terms, before and after it has settled', async () => {
    const service = await serve()
    const request = makePayment()
    const other = { ...request, requirements: { ...request.requirements, maxTimeoutSeconds: 61 } }
    expect(requirementsId(other.requirements)).not.toBe(requirementsId(request.requirements))
    chain.automine = false
    const first = service.settle(request)
    await until(() => chain.seen.length === 1)
    expect(await service.settle(other)).toEqual({ status: 'refused', code: 'idempotency_mismatch', payer: PAYER })
    chain.mine()
    settled(await first)
    expect(await service.settle(other)).toEqual({ status: 'refused', code: 'idempotency_mismatch', payer: PAYER })
    await expectOnce(1)
  })

  test('that is refused leaves no transaction and uses no nonce', async () => {
    const service = await serve()
    expect(await service.settle(makePayment({ signature: 'bad' }))).toEqual({
      status: 'refused',
      code: 'invalid_exact_evm_signature',
      payer: PAYER,
    })
    settled(await service.settle(makePayment()))
    expect(chain.seen.map(({ nonce }) => nonce)).toEqual([0n])
    await expectOnce(1)
  })

  test('A27 that has too little life left is refused without a claim', async () => {
    const service = await serve()
    const request = makePayment({ validBefore: Math.floor(Date.now() / 1000) + 3 })
    expect(await service.settle(request)).toMatchObject({
      status: 'refused',
      code: 'invalid_exact_evm_payload_authorization_valid_before',
    })
    expect(await tables().selectFrom('settlement').selectAll().execute()).toEqual([])
  })

  test('FAC-024, FAC-025 verify sends and writes nothing', async () => {
    const service = await serve()
    const request = makePayment()
    expect(await service.verify(request)).toEqual({ ok: true, payer: PAYER })
    expect(chain.seen).toEqual([])
    expect(await tables().selectFrom('settlement').selectAll().execute()).toEqual([])
    settled(await service.settle(request))
  })
})

describe('poisoning', () => {
  const wrongTerms = (request: FacilitatorRequest) => ({
    ...request,
    requirements: { ...request.requirements, extra: { name: 'Another Dollar' } },
  })

  test('a refusal before anything was signed binds nobody', async () => {
    const service = await serve()
    const request = makePayment()
    expect(await service.settle(wrongTerms(request))).toMatchObject({ code: 'invalid_exact_evm_token_name_mismatch' })
    settled(await service.settle(request))
    await expectOnce(1)
  })

  test('wrong terms in flight do not refuse the right ones', async () => {
    const service = await serve()
    const request = makePayment()
    const [wrong, right] = await Promise.all([service.settle(wrongTerms(request)), service.settle(request)])
    expect(wrong).toMatchObject({ code: 'invalid_exact_evm_token_name_mismatch' })
    settled(right)
    await expectOnce(1)
  })

  test('a copy with a broken signature does not speak for the good one', async () => {
    const service = await serve()
    const request = makePayment()
    const payload = { ...request.payment.payload, signature: 'broken' }
    const copy = { ...request, payment: { ...request.payment, payload } }
    const [broken, good] = await Promise.all([service.settle(copy), service.settle(request)])
    expect(broken).toMatchObject({ status: 'refused' })
    settled(good)
    await expectOnce(1)
  })
})

describe('the chain', () => {
  test('A04 20 payments at once on one signer all settle, in order and without a gap', async () => {
    chain.automine = false
    const service = await serve()
    const work = Array.from({ length: 20 }, () => service.settle(makePayment()))
    const miner = setInterval(() => chain.mine(), 5)
    const outcomes = await Promise.all(work)
    clearInterval(miner)
    expect(new Set(outcomes.map(settled)).size).toBe(20)
    expect(chain.seen.map(({ nonce }) => nonce).sort((a, b) => Number(a - b))).toEqual(
      Array.from({ length: 20 }, (_, i) => BigInt(i)),
    )
    await expectOnce(20)
  })

  test('several signers share the work by payer', async () => {
    chain = new FakeChain(['0xf1', '0xf2', '0xf3'])
    const service = await serve()
    const payers = Array.from({ length: 12 }, (_, i) => `0x${(i + 100).toString(16)}`)
    for (const payer of payers) chain.balances.set(payer, 2000n)
    for (const from of [...payers, ...payers]) settled(await service.settle(makePayment({ from })))
    const byPayer = new Map<string, Set<string>>()
    for (const { call, signer } of chain.seen) {
      byPayer.set(call.from, (byPayer.get(call.from) ?? new Set()).add(signer))
    }
    expect([...byPayer.values()].every((signers) => signers.size === 1)).toBe(true)
    expect(new Set(chain.seen.map(({ signer }) => signer)).size).toBe(3)
    await expectOnce(24)
  })

  test('A07 an answer that is lost after the node took the bytes is found by its hash', async () => {
    let lost = 0
    chain.disturb = (method, when) => {
      if (method === 'send' && when === 'after' && lost++ === 0) throw unreachable()
    }
    const service = await serve()
    settled(await service.settle(makePayment()))
    expect(chain.seen).toHaveLength(1)
    await expectOnce(1)
  })

  test('A06 bytes that did not get out go out again, and before later ones', async () => {
    chain.automine = false
    let down = true
    let tried = 0
    chain.disturb = (method, when) => {
      if (method !== 'send' || when !== 'before' || !down) return
      tried += 1
      throw unreachable()
    }
    const service = await serve()
    const first = service.settle(makePayment())
    await until(() => tried > 0)
    const work = [first, service.settle(makePayment()), service.settle(makePayment())]
    await until(async () => (await tables().selectFrom('attempt').select('hash').execute()).length === 3)
    down = false
    const miner = setInterval(() => chain.mine(), 5)
    for (const outcome of await Promise.all(work)) settled(outcome)
    clearInterval(miner)
    expect(chain.seen.map(({ nonce }) => nonce)).toEqual([0n, 1n, 2n])
    await expectOnce(3)
  })

  test('A13 what was evicted from the pool is sent again', async () => {
    chain.automine = false
    const service = await serve()
    const work = service.settle(makePayment())
    await until(() => chain.pool.size === 1)
    chain.pool.clear()
    await until(() => chain.pool.size === 1)
    chain.mine()
    settled(await work)
    await expectOnce(1)
  })

  test('FAC-036 A17 a payment that somebody else landed first is settled, once', async () => {
    const service = await serve()
    const request = makePayment()
    const call = request.payment.payload as never
    chain.accept({ hash: 'stranger', signer: '0xstranger', nonce: 0n, call })
    expect(settled(await service.settle(request))).toBe('stranger')
    expect(settled(await service.settle(request))).toBe('stranger')
    expect(chain.seen).toHaveLength(1)
    await expectOnce(1)
  })

  test('A18 a payment that somebody else landed while ours was under way is settled, once', async () => {
    chain.automine = false
    const service = await serve()
    const request = makePayment()
    const work = service.settle(request)
    await until(() => chain.pool.size === 1)
    const [ours] = chain.pool.values()
    chain.pool.clear()
    chain.accept({ hash: 'stranger', signer: '0xstranger', nonce: 0n, call: ours!.call })
    chain.mine()
    expect(settled(await work)).toBe('stranger')
    // Our nonce is not left open: the bytes go out again, fail, and the next payment gets through.
    chain.automine = true
    settled(await service.settle(makePayment()))
    await until(async () => {
      const statuses = await tables().selectFrom('attempt').select('status').orderBy('nonce').execute()
      return JSON.stringify(statuses) === JSON.stringify([{ status: 'void' }, { status: 'landed' }])
    })
    await expectOnce(2)
  })

  test('A30 a nonce that was used by hand is noticed, and the payment signed again', async () => {
    const service = await serve({ nodeLag: () => 100 })
    settled(await service.settle(makePayment()))
    const [signer = ''] = chain.signers
    const byHand = makePayment({ from: '0xhand' }).payment.payload as never
    chain.accept({ hash: 'by hand', signer, nonce: 1n, call: byHand })
    settled(await service.settle(makePayment()))
    settled(await service.settle(makePayment()))
    const attempts = await tables().selectFrom('attempt').select(['nonce', 'status']).orderBy('nonce').execute()
    expect(attempts).toEqual([
      { nonce: 0, status: 'landed' },
      { nonce: 1, status: 'void' },
      { nonce: 2, status: 'landed' },
      { nonce: 3, status: 'landed' },
    ])
    await expectOnce(3)
  })

  test('A16, FAC-049 ours failed on chain: unknown while the payment may live, refused when it is proven dead', async () => {
    let now = Date.now()
    chain.automine = false
    chain.clock = () => now
    const service = await serve({ clock: () => now })
    const request = makePayment()
    const work = service.settle(request)
    await until(() => chain.pool.size === 1)
    chain.balances.set(PAYER, 0n)
    chain.mine()
    const [failed] = chain.seen
    expect(await work).toEqual({ status: 'unknown', retryAfter: 2, payer: PAYER, transaction: failed?.hash })
    now += 61_000
    await until(async () => (await service.settle(request)).status === 'refused')
    expect(await service.settle(request)).toEqual({
      status: 'refused',
      code: 'payment_expired',
      payer: PAYER,
      transaction: failed?.hash,
    })
    expect(chain.seen).toHaveLength(1)
    await expectOnce(0)
  })

  test('D33 funds for one payment, ten at once: one settles, nobody is told a lie', async () => {
    chain.balances.set(PAYER, 1000n)
    const service = await serve()
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => service.settle(makePayment())))
    expect(outcomes.filter(({ status }) => status === 'settled')).toHaveLength(1)
    await expectOnce(1)
  })

  test('A19 a signer without gas money takes nothing new, and goes on when it is funded', async () => {
    const events: X402Event[] = []
    const service = await serve({ onEvent: (event) => events.push(event) })
    const earlier = makePayment()
    settled(await service.settle(earlier))
    chain.rejects = { status: 'rejected', code: 'signer_out_of_gas' }
    const request = makePayment()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    expect(events.filter(({ type }) => type === 'settlement_unknown')).toEqual([
      {
        type: 'settlement_unknown',
        at: expect.any(Number),
        network: NETWORK,
        scheme: 'exact',
        payer: PAYER,
        pid: expect.stringMatching(/./),
        code: 'signer_out_of_gas',
      },
    ])
    await expect(service.settle(makePayment())).rejects.toMatchObject({ code: 'signer_out_of_gas' })
    // Nobody is told that a payment is good which could not be settled; a bad one is bad all the same.
    await expect(service.verify(makePayment())).rejects.toMatchObject({ code: 'signer_out_of_gas' })
    expect(await service.verify(makePayment({ signature: 'bad' }))).toMatchObject({
      code: 'invalid_exact_evm_signature',
    })
    settled(await service.settle(earlier))
    expect(await service.health()).toEqual({
      ready: false,
      reasons: [{ part: 'chain', network: NETWORK, code: 'signer_out_of_gas', signer: chain.signers[0] }],
    })
    chain.rejects = undefined
    await until(async () => (await service.settle(request)).status === 'settled')
    expect(await service.verify(makePayment())).toMatchObject({ ok: true })
    settled(await service.settle(makePayment()))
    expect(await service.health()).toEqual({ ready: true, reasons: [] })
    await expectOnce(3)
  })

  test('a chain that cannot be used at the start is named', async () => {
    chain.disturb = (method) => {
      if (method === 'ready') throw new X402Error('rpc_wrong_chain', { expected: 84532n })
    }
    await expect(serve()).rejects.toMatchObject({
      code: 'rpc_wrong_chain',
      context: { network: NETWORK, expected: 84532n },
    })
  })

  test('B04 a node that is down is nobody’s fault: verify throws, settle is unknown and goes on by itself', async () => {
    const service = await serve()
    chain.disturb = () => {
      throw unreachable()
    }
    const request = makePayment()
    await expect(service.verify(request)).rejects.toMatchObject({ code: 'rpc_unreachable' })
    expect(await service.settle(request)).toEqual({ status: 'unknown', retryAfter: 2, payer: PAYER })
    chain.disturb = () => {}
    await until(() => chain.logs.length === 1)
    settled(await service.settle(request))
    await expectOnce(1)
  })

  test('a mistake of ours before anything is signed refuses with a reference and binds nobody', async () => {
    const service = await serve()
    chain.disturb = (method) => {
      if (method === 'sign') throw new TypeError('secret story')
    }
    const request = makePayment()
    const outcome = await service.settle(request)
    expect(outcome).toEqual({
      status: 'refused',
      code: 'unexpected_settle_error',
      detail: `reference ${faults[0]?.reference}`,
      payer: PAYER,
    })
    expect(faults[0]).toMatchObject({ during: 'settle', error: { message: 'secret story' } })
    chain.disturb = () => {}
    settled(await service.settle(request))
  })

  test('FAC-045 EVM-EXACT-066 settle waits only so long, and the payment goes on', async () => {
    chain.automine = false
    const service = await serve({ settleTimeout: 5 })
    const request = makePayment()
    await until(async () => (await service.settle(request)).status === 'unknown' && chain.seen.length === 1)
    expect(await service.settle(request)).toEqual({
      status: 'unknown',
      retryAfter: 2,
      payer: PAYER,
      transaction: chain.seen[0]?.hash,
    })
    chain.mine()
    await until(async () => (await service.settle(request)).status === 'settled')
    await expectOnce(1)
  })
})

describe('a restart', () => {
  /** A process that is gone: whatever it waits for never comes, and nothing it does reaches anybody. */
  async function lostAt(method: string, when: 'before' | 'after'): Promise<FacilitatorRequest> {
    const { mortal, die } = mortalStore(store)
    const gone = await serve({ settleTimeout: 1, store: mortal })
    const request = makePayment()
    let reached = false
    chain.disturb = (each, at) => {
      if (each !== method || at !== when) return
      reached = true
      return new Promise(() => {})
    }
    void gone.settle(request).catch(() => {})
    await until(() => reached)
    chain.disturb = () => {}
    die()
    services.pop()
    return request
  }

  test.each([
    ['verify', 'before'],
    ['sign', 'after'],
    ['send', 'before'],
    ['send', 'after'],
    ['outcome', 'after'],
  ] as const)('FAC-048 after a death %s (%s the node answered) settles exactly once', async (method, when) => {
    const request = await lostAt(method, when)
    const service = await serve()
    await until(() => chain.logs.length === 1)
    settled(await service.settle(request))
    expect(new Set(chain.seen.map(({ hash }) => hash)).size).toBe(1)
    await expectOnce(1)
  })

  test('ENG-12 looks every open payment up before it is ready', async () => {
    chain.automine = false
    const first = await serve({ settleTimeout: 1, depth: 8 })
    const requests = Array.from({ length: 5 }, () => makePayment())
    await Promise.all(requests.map((request) => first.settle(request)))
    await until(() => chain.seen.length === 5)
    await first.stop()
    services = []
    chain.mine()
    const second = await serve()
    const pids = await tables().selectFrom('settlement').select(['state']).execute()
    expect(pids).toEqual(Array.from({ length: 5 }, () => ({ state: 'settled' })))
    for (const request of requests) settled(await second.settle(request))
    await expectOnce(5)
  })

  describe('what is not served here', () => {
    function uptoToo() {
      const exact = createFakeScheme(chain)
      const kinds = () => [{ x402Version: 2, scheme: 'upto', network: NETWORK }] as const
      const { payment, requirements } = makePayment({}, { scheme: 'upto' })
      return {
        schemes: [exact, { ...exact, scheme: { ...exact.scheme, name: 'upto' }, kinds }],
        request: { payment: { ...payment, scheme: 'upto' }, requirements },
      }
    }
    const unserved = {
      ...{ during: 'start' },
      error: { code: 'invalid_config', context: { network: NETWORK, scheme: 'upto' } },
    }

    test('ENG-12 and is open is told once, and left to who serves it', async () => {
      chain.automine = false
      const { schemes, request } = uptoToo()
      const first = await serve({ schemes, settleTimeout: 1 })
      await first.settle(request)
      await until(() => chain.seen.length === 1)
      await first.stop()
      await serve()
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(faults).toMatchObject([unserved])
      chain.automine = true
      chain.mine()
      settled(await (await serve({ schemes })).settle(request))
      await expectOnce(1)
    })

    test('A14 and is settled is watched, and given to who serves it when its block is gone', async () => {
      let branch = ''
      const blockHash = async (block: bigint) => branch + sha256Hex(block.toString())
      const head = async () => ({ latest: chain.block, safe: 0n, final: 0n })
      Object.assign(chain, { blockHash, head })
      const { schemes, request } = uptoToo()
      const first = await serve({ schemes })
      settled(await first.settle(request))
      await first.stop()
      await serve({ watchInterval: 10 })
      branch = 'another'
      const standing = () => tables().selectFrom('settlement').select(['state', 'owner']).executeTakeFirstOrThrow()
      await until(async () => (await standing()).owner === null)
      expect([await standing(), faults]).toMatchObject([{ state: 'reorged' }, [unserved]])
      branch = ''
      settled(await (await serve({ schemes })).settle(request))
      await expectOnce(1)
    })
  })

  test('is refused while a chain is not there, and may be tried again', async () => {
    chain.disturb = () => {
      throw unreachable()
    }
    const service = createFacilitator({ schemes: [createFakeScheme(chain)], store })
    services.push(service)
    await expect(service.start()).rejects.toMatchObject({ code: 'rpc_unreachable' })
    await expect(service.verify(makePayment())).rejects.toMatchObject({ code: 'facilitator_starting' })
    chain.disturb = () => {}
    await service.start()
    settled(await service.settle(makePayment()))
  })

  test('goes on without a network whose nodes are away, and with it when they are back, also with what was open there', async () => {
    const elsewhere = new FakeChain(['0xf2'], network('eip155:8453'))
    const away = makePayment({}, { network: elsewhere.network })
    const schemes = [createFakeScheme(chain), createFakeScheme(elsewhere)]
    elsewhere.automine = false
    const before = await serve({ schemes, settleTimeout: 50 })
    await before.settle(away)
    await before.stop()
    elsewhere.disturb = () => {
      throw new X402Error('rpc_unreachable', { network: elsewhere.network })
    }
    const service = await serve({ schemes })
    settled(await service.settle(makePayment()))
    await expect(service.verify(makePayment({}, { network: elsewhere.network }))).rejects.toMatchObject({
      code: 'facilitator_starting',
    })
    await expect(service.settle(away)).rejects.toMatchObject({ code: 'facilitator_starting' })
    const reason = { part: 'chain', network: elsewhere.network, code: 'rpc_unreachable' }
    expect(await service.health()).toMatchObject({ ready: false, reasons: [reason] })
    expect(faults).toMatchObject([{ during: 'start', network: elsewhere.network, error: { code: 'rpc_unreachable' } }])
    elsewhere.disturb = () => {}
    elsewhere.automine = true
    elsewhere.mine()
    await until(() =>
      service.settle(away).then(
        ({ status }) => status === 'settled',
        () => false,
      ),
    )
    expect(elsewhere.logs).toHaveLength(1)
    await until(async () => (await service.health()).ready)
    settled(await service.settle(makePayment({}, { network: elsewhere.network })))
  })

  test('waits for nodes that hang no longer than a moment, and keeps what it holds meanwhile', async () => {
    const slow = new FakeChain(['0xf2'], network('eip155:8453'))
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    slow.disturb = (method) => (method === 'ready' ? undefined : answered)
    const service = await serve({ schemes: [createFakeScheme(chain), createFakeScheme(slow)] })
    settled(await service.settle(makePayment()))
    await new Promise((resolve) => setTimeout(resolve, 400))
    settled(await service.settle(makePayment()))
    answer()
    await until(() =>
      service.settle(makePayment({}, { network: slow.network })).then(
        ({ status }) => status === 'settled',
        () => false,
      ),
    )
  })

  test('that is stopped while its nodes are waited for takes nothing, tells nothing and leaves nothing', async () => {
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const asked = new Promise<void>((resolve) => {
      chain.disturb = () => {
        resolve()
        return answered
      }
    })
    const events: string[] = []
    const service = createFacilitator({
      ...{ schemes: [createFakeScheme(chain)], store, stopTimeout: 1 },
      onEvent: ({ type }) => void events.push(type),
    })
    const starting = service.start()
    const refused = expect(starting).rejects.toMatchObject({ code: 'shutting_down' })
    await asked
    await service.stop()
    answer()
    await refused
    expect(events).toEqual([])
    await expect(service.start()).rejects.toMatchObject({ code: 'shutting_down' })
  })

  test('is refused where a chain answers what no waiting mends', async () => {
    const wrong = new X402Error('rpc_wrong_chain', { answered: '1' })
    const elsewhere = new FakeChain(['0xf2'], network('eip155:8453'))
    elsewhere.disturb = () => {
      throw wrong
    }
    const schemes = [createFakeScheme(chain), createFakeScheme(elsewhere)]
    await expect(serve({ schemes })).rejects.toMatchObject({ code: 'rpc_wrong_chain' })
  })

  test('LIV-5 a question that is never answered keeps no stop from its end, and no other replica from the signer', async () => {
    const timers: Timers = { ...systemTimers, after: (wait, call) => systemTimers.after(Math.min(wait, 200), call) }
    const service = await serve({ timers, settleTimeout: 50 })
    chain.disturb = () => new Promise(() => {})
    const request = makePayment()
    expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    await service.stop()
    chain.disturb = () => {}
    const next = await serve()
    await until(async () => (await next.settle(request)).status === 'settled')
    await expectOnce(1)
  })

  test('C12, LIV-5 stop waits for who is waiting, takes nothing new, and hands the rest over', async () => {
    chain.automine = false
    const service = await serve({ stopTimeout: 5000 })
    const waiting = service.settle(makePayment())
    await until(() => chain.seen.length === 1)
    const stopping = service.stop()
    await expect(service.settle(makePayment())).rejects.toMatchObject({ code: 'shutting_down' })
    await expect(service.verify(makePayment())).rejects.toMatchObject({ code: 'shutting_down' })
    chain.mine()
    settled(await waiting)
    await stopping
    // It is what was asked for: nobody has to be told a story.
    expect(faults).toEqual([])
    await expectOnce(1)
  })

  test('C04 two processes on one store and one key settle each payment once', async () => {
    const [a, b] = [await serve(), await serve()]
    const requests = Array.from({ length: 10 }, () => makePayment())
    const outcomes = await Promise.all(requests.flatMap((request) => [a.settle(request), b.settle(request)]))
    expect(new Set(outcomes.map(settled)).size).toBe(10)
    await expectOnce(10)
  })
})
