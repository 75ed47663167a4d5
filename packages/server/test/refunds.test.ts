import type { Pid } from '@groat/core'
import { createMemoryClaims } from '@groat/server'
import { createLedger } from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { openMemoryStore } from '@groat/store'
import { afterEach, expect, test } from 'vitest'
import { createBearers } from '../src/bearer.js'
import { withBook } from '../src/ledger/book.js'
import type { Entry } from '../src/ledger/entry.js'
import type { LedgerTables } from '../src/ledger/tables.js'
import { fetchStyle, type TestHandler } from './frameworks.js'
import { expectRefused, type Market, baseSepolia as network, openMarket } from './shop.js'
import { headersOf, payer, testScheme } from './test-scheme.js'

// What the gate orders; that refunds are paid, and once, is shown on chains elsewhere.

let market: Market | undefined
afterEach(async () => {
  await market?.close()
  market = undefined
})

const framework = fetchStyle

async function open(input: object, handler: TestHandler) {
  const store = await openMemoryStore()
  const ledger = await createLedger(store)
  const nobody = {
    verify: async () => Promise.reject(new Error('no')),
    settle: async () => Promise.reject(new Error('no')),
  }
  const facilitator = { ...nobody, supported: async () => ({ kinds: [], extensions: [], signers: {} }) }
  const refunds = await createRefunds({ ledger, facilitator, pays: [], sells: [testScheme], approveAbove: '$0.0005' })
  const claims = await sqlClaims(store, { ledger, refunds })
  market = await openMarket(
    framework,
    { '/feed': { input: { price: '$0.001', mode: 'upfront', ...input } as never, handler } },
    { store: claims },
  )
  return { ...market, refunds, key: claims.entitlements.key }
}

test('SRV-066 work that fails after payment is given back where the route says so, and not worked for again', async () => {
  let runs = 0
  const { sign, present, refunds, events } = await open({ refund: 'on-failure' }, () => {
    runs += 1
    return { status: 503, body: 'sorry' }
  })
  const payment = await sign('/feed')
  expect(await present('/feed', payment)).toMatchObject({ status: 503, text: 'sorry' })
  await expect
    .poll(() => refunds.list())
    .toMatchObject([
      { state: 'approved', amount: 1_000n, paid: 1_000n, payer, reason: 'the work ended with 503', askedBy: 'gate' },
    ])
  expectRefused(await present('/feed', payment), 'payment_refunded')
  expect(runs).toBe(1)
  expect(events.map(({ type }) => type)).toContain('delivery_failed')
  const [{ pid } = { pid: '' as never }] = await refunds.list()
  expect(await refunds.ask({ pid, reason: 'again', by: 'ann' })).toEqual({ ok: false, code: 'refund_exists' })
})

test('SRV-066 without that word it stays open, and a rule of the seller decides what a failure is', async () => {
  let good = false
  const handler: TestHandler = () => {
    if (!good) return { status: 500, body: 'sorry' }
    return { body: 'fine' }
  }
  const kept = await open({}, handler)
  const payment = await kept.sign('/feed')
  expect((await kept.present('/feed', payment)).status).toBe(500)
  good = true
  expect(await kept.present('/feed', payment)).toMatchObject({ status: 200, text: 'fine' })
  expect(await kept.refunds.list()).toEqual([])
  await kept.close()

  const invalid = ({ body }: { body?: unknown }) => new TextDecoder().decode(body as Uint8Array<ArrayBuffer>) !== 'good'
  const judged = await open({ refund: 'on-failure', invalid }, () => ({ body: 'nonsense' }))
  expect((await judged.pay('/feed')).status).toBe(200)
  await expect.poll(() => judged.refunds.list()).toMatchObject([{ reason: 'the answer was not valid' }])
  await judged.close()

  const strict = await open({ mode: 'strict', invalid: () => true }, () => ({ body: 'nonsense' }))
  expect((await strict.pay('/feed')).status).toBe(500)
  expect([strict.stub.ledger.size, await strict.refunds.list()]).toEqual([0, []])
})

test('SRV-067 a person asks, above the limit another approves, and never for more than was paid', async () => {
  const { pay, refunds, events } = await open({}, () => ({ body: 'fine' }))
  const buy = async () => {
    await pay('/feed')
    return events.findLast(({ type }) => type === 'payment_settled')?.pid ?? ('' as never)
  }
  const pid = await buy()
  expect(await refunds.ask({ pid, amount: 1_001n, reason: 'r', by: 'ann' })).toEqual({
    ok: false,
    code: 'refund_above_paid',
  })
  expect(await refunds.ask({ pid, amount: 0n, reason: 'r', by: 'ann' })).toEqual({
    ok: false,
    code: 'refund_above_paid',
  })
  expect(await refunds.ask({ pid: 'none' as never, reason: 'r', by: 'ann' })).toEqual({
    ok: false,
    code: 'refund_not_found',
  })
  expect(await refunds.ask({ pid, reason: 'r', by: 'ann' })).toMatchObject({ ok: true, refund: { state: 'asked' } })
  expect(await refunds.approve(pid, 'ann')).toEqual({ ok: false, code: 'refund_needs_other' })
  expect(await refunds.approve(pid, 'bob')).toMatchObject({
    ok: true,
    refund: { state: 'approved', approvedBy: 'bob' },
  })
  expect(await refunds.approve(pid, 'cy')).toEqual({ ok: false, code: 'refund_not_found' })

  const small = await buy()
  expect(await refunds.ask({ pid: small, amount: 500n, reason: 'r', by: 'ann' })).toMatchObject({
    refund: { state: 'approved' },
  })
  const third = await buy()
  await refunds.ask({ pid: third, reason: 'r', by: 'ann' })
  expect(await refunds.reject(third, 'ann')).toMatchObject({ refund: { state: 'rejected' } })
  expect((await refunds.list(['rejected'])).map((each) => each.pid)).toEqual([third])

  // Of ten who ask at once for one payment one is heard.
  const fourth = await buy()
  const asked = await Promise.all(
    Array.from({ length: 10 }, () => refunds.ask({ pid: fourth, reason: 'r', by: 'ann' })),
  )
  expect(asked.filter(({ ok }) => ok)).toHaveLength(1)
})

test('SRV-065 SRV-067 SRV-068 a payment is given back in parts: each name once, together never more than it, and their sum has the limit', async () => {
  const { pay, refunds, events } = await open({}, () => ({ body: 'fine' }))
  await pay('/feed')
  const pid = events.findLast(({ type }) => type === 'payment_settled')?.pid ?? ('' as never)
  const ask = (amount: bigint | undefined, part?: string, by = 'ann') =>
    refunds.ask({ pid, reason: 'r', by, ...(amount === undefined ? {} : { amount }), ...(part ? { part } : {}) })

  expect(await ask(300n)).toMatchObject({ ok: true, refund: { id: pid, state: 'approved', amount: 300n } })
  expect(await ask(100n)).toEqual({ ok: false, code: 'refund_exists' })
  expect(await ask(200n, 'b')).toMatchObject({ refund: { id: `${pid}.b`, state: 'approved' } })
  expect(await ask(200n, 'b', 'bob')).toEqual({ ok: false, code: 'refund_exists' })
  // Each is below the limit of 500, and together they are above it.
  expect(await ask(100n, 'c')).toMatchObject({ refund: { id: `${pid}.c`, state: 'asked' } })
  expect(await refunds.approve(`${pid}.c`, 'ann')).toEqual({ ok: false, code: 'refund_needs_other' })
  expect(await ask(401n, 'd')).toEqual({ ok: false, code: 'refund_above_paid' })
  // What is rejected counts no more, and its name is used up.
  expect(await refunds.reject(`${pid}.c`, 'bob')).toMatchObject({ refund: { state: 'rejected' } })
  expect(await ask(100n, 'c')).toEqual({ ok: false, code: 'refund_exists' })
  expect(await ask(undefined, 'the-rest')).toMatchObject({ refund: { state: 'asked', amount: 500n, paid: 1_000n } })
  expect(await ask(undefined, 'more')).toEqual({ ok: false, code: 'refund_exists' })
  expect(await ask(1n, 'more')).toEqual({ ok: false, code: 'refund_above_paid' })
  for (const name of ['', '../x', 'a.b', 'x'.repeat(41)]) {
    expect((await refunds.ask({ pid, part: name, amount: 1n, reason: 'r', by: 'ann' })).ok).toBe(false)
  }
  expect((await refunds.list()).map(({ pid: of }) => of)).toEqual(Array(4).fill(pid))
})

test('SRV-068 of parts that many ask for at once none goes above what was paid', async () => {
  const { pay, refunds, events } = await open({}, () => ({ body: 'fine' }))
  await pay('/feed')
  const pid = events.findLast(({ type }) => type === 'payment_settled')?.pid ?? ('' as never)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      refunds.ask({ pid, part: `p${i % 15}`, amount: 130n, reason: 'r', by: 'ann' }),
    ),
  )
  const given = answers.flatMap((answer) => (answer.ok ? [answer.refund] : []))
  expect([given.length, new Set(given.map(({ id }) => id)).size]).toEqual([7, 7])
  expect(given.filter(({ state }) => state === 'approved').length).toBe(3)
})

test('SRV-066 SRV-068 work that fails when a part was given back before gives back the rest', async () => {
  const parts: (() => Promise<unknown>)[] = []
  const shop = await open({ refund: 'on-failure' }, async () => {
    for (const part of parts) await part()
    return { status: 503, body: 'sorry' }
  })
  const { refunds, events } = shop
  const pidNow = () => events.findLast(({ type }) => type === 'payment_settled')?.pid ?? ('' as never)
  parts.push(() => refunds.ask({ pid: pidNow(), amount: 300n, reason: 'a part', by: 'ann' }))
  await shop.pay('/feed')
  await expect
    .poll(async () => (await refunds.list()).map(({ id, amount }) => `${id} ${amount}`).sort())
    .toEqual([`${pidNow()} 300`, `${pidNow()}.rest 700`])
})

/** Waits until the end of an answer is written down. */
const ends = async (count: number): Promise<void> => {
  await expect.poll(() => market?.events.filter(({ type }) => type === 'delivery_failed').length ?? 0).toBe(count)
}

test('SRV-066 what a buyer has had a part of is owed, and not given back beside it', async () => {
  let isRange = false
  const shop = await open({ refund: 'on-failure' }, () => (isRange ? { status: 416, body: 'no' } : { body: endless() }))
  const payment = await shop.sign('/feed')
  const abort = new AbortController()
  const response = await fetch(`${shop.served.url}/feed`, { headers: headersOf(payment), signal: abort.signal })
  await response.body?.getReader().read()
  abort.abort()
  await ends(1)
  isRange = true
  expect((await shop.present('/feed', payment)).status).toBe(416)
  await ends(2)
  expect(await shop.refunds.list()).toEqual([])
})

test('SRV-066 SRV-029 what was bought beside an answer is not used and given back', async () => {
  let [invalid, runs] = [true, 0]
  const shop = await open({ refund: 'on-failure', bundle: 3, invalid: () => invalid }, async () => {
    runs += 1
    if (runs === 1) await shop.ask('/feed', { headers: { 'PAYMENT-ENTITLEMENT': await bearer() } })
    return { body: 'fine' }
  })
  const bearer = async (): Promise<string> => {
    const pid = market?.events.findLast(({ type }) => type === 'payment_settled')?.pid ?? ''
    return createBearers(shop.key).make(pid)
  }
  const payment = await shop.sign('/feed')
  await shop.present('/feed', payment)
  await ends(1)
  expect(await shop.refunds.list()).toEqual([])
  invalid = false
  expect((await shop.present('/feed', payment)).status).toBe(200)
})

test.each([
  ['invalid', { status: 200, body: 'empty' }, []],
  ['failed', { status: 400, body: 'no' }, [1_000n]],
])(
  'SRV-066 SRV-029 a pass that was used while its first answer was made is not given back when that one is %s',
  async (_, end, unused) => {
    let [uses, runs] = [1, 0]
    const shop = await open({ refund: 'on-failure', pass: '1h', invalid: () => true }, async () => {
      runs += 1
      if (runs > 1) return { body: 'by the pass' }
      // Whoever signs in is found by the payment, without the bearer that stands in the head of this answer.
      const pid = market?.events.findLast(({ type }) => type === 'payment_settled')?.pid ?? ''
      const bearer = await createBearers(shop.key).make(pid)
      for (; uses > 0; uses--) await shop.ask('/feed', { headers: { 'PAYMENT-ENTITLEMENT': bearer } })
      return end
    })
    await shop.pay('/feed')
    await ends(1)
    expect([runs, await shop.refunds.list()]).toEqual([2, []])

    runs = 0
    await shop.pay('/feed')
    await ends(2)
    expect([runs, (await shop.refunds.list()).map(({ amount }) => amount)]).toEqual([1, unused])
  },
)

test('SRV-066 an answer that is no good brings no bearer of what is given back', async () => {
  const shop = await open({ refund: 'on-failure', bundle: 3 }, () => ({ status: 400, body: 'no' }))
  const answer = await shop.pay('/feed')
  await ends(1)
  expect([answer.status, answer.headers.get('PAYMENT-ENTITLEMENT')]).toEqual([400, null])
  expect(await shop.refunds.list()).toMatchObject([{ amount: 1_000n }])
})

test('SRV-036 SRV-065 a use that is under way when its money is given back leaves no credit behind', async () => {
  const store = await openMemoryStore()
  const ledger = await createLedger(store)
  const facilitator = { verify: never, settle: never, supported: never }
  const refunds = await createRefunds({ ledger, facilitator, pays: [], sells: [testScheme], approveAbove: '$1' })
  const { entitlements } = await sqlClaims(store, { ledger, refunds })
  const buy = async (pid: Pid): Promise<void> => {
    const paid: Entry = {
      ...{
        id: `payment:${pid}`,
        pid,
        kind: 'payment',
        at: 1,
        debit: 'wallet',
        credit: 'prepaid',
        network,
        asset: 'usd',
      },
      ...{ amount: 10n, from: payer, to: 'shop', transaction: `0x${pid}`, resource: '', route: '', scheme: 'exact' },
    }
    await ledger.store.withTables<LedgerTables>().transaction((trx) => ledger.book.add(withBook(trx), [paid]))
    await entitlements.grant({ pid, scope: 's', credit: 10n, proof: '{}' })
  }
  const whole = 'a'.repeat(64) as Pid
  await buy(whole)
  expect((await entitlements.redeem(whole, 's', { most: 5n }))?.taken).toBe(5n)
  await refunds.ask({ pid: whole, reason: 'r', by: 'ann' })
  await refunds.approve(whole, 'bob')
  await entitlements.giveBack(whole, { credit: 5n })
  expect(await entitlements.redeem(whole, 's')).toBeUndefined()

  const part = 'b'.repeat(64) as Pid
  await buy(part)
  await entitlements.redeem(part, 's', { most: 5n })
  await refunds.ask({ pid: part, amount: 7n, reason: 'r', by: 'ann' })
  await refunds.approve(part, 'bob')
  expect(await entitlements.redeem(part, 's')).toBeUndefined()
  await entitlements.giveBack(part, { credit: 4n })
  expect((await entitlements.redeem(part, 's'))?.taken).toBe(2n)
})

test('SRV-036 SRV-069 a use of a bundle that is under way while its payer is given the rest back, and fails, is there again, once', async () => {
  const store = await openMemoryStore()
  const ledger = await createLedger(store)
  const facilitator = { verify: never, settle: never, supported: never }
  const refunds = await createRefunds({ ledger, facilitator, pays: [], sells: [testScheme], approveAbove: '$1' })
  const { entitlements } = await sqlClaims(store, { ledger, refunds })
  const buy = async (pid: Pid): Promise<void> => {
    const paid: Entry = {
      ...{ id: `payment:${pid}`, pid, kind: 'payment', at: 1, debit: 'wallet', credit: 'prepaid', network },
      ...{ amount: 30n, from: payer, to: 'shop', transaction: `0x${pid}`, resource: '', route: '', scheme: 'exact' },
      ...{ asset: 'usd', uses: 3 },
    }
    await ledger.store.withTables<LedgerTables>().transaction((trx) => ledger.book.add(withBook(trx), [paid]))
    await entitlements.grant({ pid, scope: 's', uses: 2, proof: '{}' })
  }
  const refund = async (pid: Pid, wish: object) => {
    const asked = await refunds.ask({ pid, reason: 'r', by: 'ann', ...wish })
    return asked.ok ? refunds.approve(asked.refund.id, 'bob') : asked
  }
  const rest = 'a'.repeat(64) as Pid
  await buy(rest)
  expect((await entitlements.redeem(rest, 's'))?.left).toBe(1)
  // Its own answer and the use that runs are the payer's; the third is not used.
  expect(await refund(rest, { amount: 10n, byPayer: true })).toMatchObject({ ok: true, refund: { amount: 10n } })
  expect(await entitlements.redeem(rest, 's')).toBeUndefined()
  await entitlements.giveBack(rest)
  expect(await entitlements.redeem(rest, 's')).toMatchObject({ left: 0 })
  expect(await entitlements.redeem(rest, 's')).toBeUndefined()
  // Nothing of it is given back beside that.
  expect(await refund(rest, { amount: 10n, part: 'more', byPayer: true })).toMatchObject({ code: 'refund_of_used' })

  // Where all of the money went back, what was under way leaves nothing behind.
  const whole = 'b'.repeat(64) as Pid
  await buy(whole)
  await entitlements.redeem(whole, 's')
  expect(await refund(whole, {})).toMatchObject({ ok: true, refund: { amount: 30n } })
  await entitlements.giveBack(whole)
  expect(await entitlements.redeem(whole, 's')).toBeUndefined()

  // The rest to the payer, and then what was left of the money by the seller.
  const both = 'c'.repeat(64) as Pid
  await buy(both)
  await entitlements.redeem(both, 's')
  await refund(both, { amount: 10n, byPayer: true })
  await refund(both, { part: 'all', amount: 20n })
  await entitlements.giveBack(both)
  expect(await entitlements.redeem(both, 's')).toBeUndefined()
})

const never = () => Promise.reject(new Error('no'))

async function* endless() {
  for (;;) {
    yield new TextEncoder().encode('a piece')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('a route with refunds needs a store that keeps them', async () => {
  const store = createMemoryClaims({ singleProcess: true })
  const wrong = openMarket(
    framework,
    { '/feed': { input: { price: '$0.001', refund: 'on-failure' }, handler: () => ({}) } },
    { store },
  )
  await expect(wrong).rejects.toThrow('invalid_config')
})
