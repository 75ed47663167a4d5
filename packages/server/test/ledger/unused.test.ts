import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assetByTicker, network, type Pid, paymentId } from '@groat/core'
import { createLedger } from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { openStore, type Store } from '@groat/store'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../../store/test/embedded-postgres.js'
import { testScheme } from '../test-scheme.js'

// A payer that uses what it bought and asks for its money back, both at once.

const chain = network('base-sepolia')
const usdc = assetByTicker(chain, 'USDC')?.address ?? ''
let postgres: EmbeddedPostgres
let folder: string
const opened: Store[] = []
beforeAll(async () => {
  postgres = await startPostgres()
  folder = await mkdtemp(join(tmpdir(), 'groat-unused-'))
}, 60_000)
afterAll(async () => {
  for (const store of opened) await store.close()
  await postgres?.remove()
  await rm(folder, { recursive: true, force: true })
})

type Sold = { readonly uses?: number; readonly seconds?: number; readonly credit?: bigint }
type Step = {
  readonly does: 'use' | 'back' | 'ask' | 'askAll' | 'approve'
  readonly n: number
}

const step = fc.record<Step>({
  does: fc.constantFrom('use', 'use', 'use', 'back', 'ask', 'askAll', 'askAll', 'approve'),
  n: fc.integer({ min: 1, max: 1_100 }),
})
/** Each batch is done all at once. */
const plan = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })
const sold = fc.oneof(
  fc.record({ uses: fc.integer({ min: 2, max: 7 }) }),
  fc.record({ seconds: fc.constant(3_600) }),
  fc.record({ credit: fc.constant(0n) }),
)

let count = 0
async function open(kind: string) {
  const target = kind === 'SQLite' ? join(folder, 'shop.db') : postgres.url
  const store = await openStore(target)
  opened.push(store)
  const ledger = await createLedger(store)
  const facilitator = { supported: async () => ({ kinds: [], extensions: [], signers: {} }) }
  const refunds = await createRefunds({
    ...{ ledger, facilitator: facilitator as never, pays: [], sells: [testScheme], approveAbove: '$0.0005' },
  })
  const claims = await sqlClaims(store, { ledger, refunds })
  return { ledger, refunds, claims, entitlements: claims.entitlements }
}
type Shop = Awaited<ReturnType<typeof open>>

/** Sells something whose own answer is delivered. */
async function sell(
  { claims }: Shop,
  amount: bigint,
  { uses, seconds, credit }: Sold,
  delivered = true,
  tops?: Pid,
): Promise<Pid> {
  const pid = paymentId(['unused', String(++count)])
  const claim = await claims.claim({ pid, binding: 'b', expiresAt: 4_000_000_000, leaseMs: 10_000 })
  if (claim.status !== 'claimed') throw new Error(claim.status)
  const { token } = claim
  const sale = {
    ...{ pid, route: 'r', resource: 'r', scheme: 'exact', network: chain, asset: usdc, amount, at: 1_800_000_000_000 },
    ...{ payer: '0xann', payTo: '0xshop', ...(uses === undefined ? {} : { uses }) },
  }
  await claims.settling(token, undefined, 10_000, sale)
  await claims.settled(token, { payer: '0xann', network: chain, transaction: `0x${pid}` }, `e${pid}`, sale)
  await claims.entitlements.grant({
    ...{ pid, scope: 's', proof: '{}' },
    ...(uses === undefined ? {} : { uses: uses - 1 }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(credit === undefined ? {} : { credit: amount }),
    ...(tops === undefined ? {} : { tops }),
  })
  await (delivered ? claims.delivered(token, undefined) : claims.pause(token, false))
  return pid
}

const byPayer = { reason: 'other', by: 'payer 0xann', byPayer: true } as const

describe.each(['SQLite', 'PostgreSQL'])('in %s', (kind) => {
  let shops: readonly [Shop, Shop]
  beforeAll(async () => {
    shops = [await open(kind), await open(kind)]
  })

  test('EXT-REFUND-013 SRV-071 what was used and what a payer is given back are together never more than what it paid', async () => {
    await fc.assert(
      fc.asyncProperty(plan, sold, fc.bigInt({ min: 1n, max: 1_000n }), async (batches, thing: Sold, price) => {
        const [shop] = shops
        const pid = await sell(shop, price, thing)
        const held: bigint[] = []
        let used = 0
        let taken = 0n
        let part = 0
        const one = async ({ does, n }: Step): Promise<void> => {
          const { entitlements, refunds } = shops[n % 2] ?? shop
          if (does === 'use') {
            const use = await entitlements.redeem(pid, 's', { most: BigInt(n) })
            if (use === undefined) return
            used += 1
            taken += use.taken ?? 0n
            held.push(use.taken ?? 0n)
          } else if (does === 'back') {
            const credit = held.pop()
            if (credit === undefined) return
            used -= 1
            taken -= credit
            await entitlements.giveBack(pid, thing.credit === undefined ? {} : { credit })
          } else if (does === 'approve') {
            for (const { id, pid: of } of await refunds.list(['asked']))
              if (of === pid) await refunds.approve(id, 'bob')
          } else {
            const name = { part: `p${++part}` }
            const first = await refunds.ask({ pid, ...byPayer, ...name, amount: does === 'ask' ? BigInt(n) : price })
            if (first.ok || first.unused === undefined || first.unused === 0n) return
            await refunds.ask({ pid, ...byPayer, part: `p${++part}`, amount: first.unused })
          }
        }
        for (const batch of batches) await Promise.all(batch.map(one))
        // What can still be used is used.
        for (let i = 0; i < 8; i++) await one({ does: 'use', n: 1_100 })

        const all = (await shop.refunds.list()).filter((each) => each.pid === pid)
        const given = all.filter(({ state }) => state === 'approved').reduce((sum, { amount }) => sum + amount, 0n)
        const { uses } = thing
        const earned = uses === undefined ? taken : (price * BigInt(used + 1)) / BigInt(uses)
        expect(given + earned).toBeLessThanOrEqual(price)
        if (thing.seconds !== undefined && given > 0n) expect(used).toBe(0)
      }),
      { numRuns: kind === 'SQLite' ? 40 : 15 },
    )
  }, 120_000)

  test('SRV-044 SRV-071 of several payments that are used as one, each is given back what was not used of it', async () => {
    await fc.assert(
      fc.asyncProperty(plan, sold, fc.bigInt({ min: 10n, max: 1_000n }), async (batches, thing: Sold, price) => {
        const [shop] = shops
        const root = await sell(shop, price, thing)
        const top = await sell(shop, price, thing, true, root)
        const both = [root, top] as const
        const held: { pid: Pid; credit: bigint }[] = []
        const used = new Map<Pid, number>(both.map((pid) => [pid, 0]))
        const taken = new Map<Pid, bigint>(both.map((pid) => [pid, 0n]))
        let part = 0
        const one = async ({ does, n }: Step): Promise<void> => {
          const { entitlements, refunds } = shops[n % 2] ?? shop
          const named = both[(n >> 1) % 2] ?? root
          if (does === 'use') {
            const use = await entitlements.redeem(n % 5 === 0 ? top : root, 's', { most: BigInt(n) })
            if (use === undefined) return
            const pid = use.pid ?? (n % 5 === 0 ? top : root)
            used.set(pid, (used.get(pid) ?? 0) + 1)
            taken.set(pid, (taken.get(pid) ?? 0n) + (use.taken ?? 0n))
            held.push({ pid, credit: use.taken ?? 0n })
          } else if (does === 'back') {
            const back = held.pop()
            if (back === undefined) return
            used.set(back.pid, (used.get(back.pid) ?? 0) - 1)
            taken.set(back.pid, (taken.get(back.pid) ?? 0n) - back.credit)
            await entitlements.giveBack(back.pid, thing.credit === undefined ? {} : { credit: back.credit })
          } else if (does === 'approve') {
            for (const { id, pid: of } of await refunds.list(['asked']))
              if (both.includes(of)) await refunds.approve(id, 'bob')
          } else {
            const name = { part: `p${++part}` }
            const first = await refunds.ask({
              pid: named,
              ...byPayer,
              ...name,
              amount: does === 'ask' ? BigInt(n) : price,
            })
            if (first.ok || first.unused === undefined || first.unused === 0n) return
            await refunds.ask({ pid: named, ...byPayer, part: `p${++part}`, amount: first.unused })
          }
        }
        for (const batch of batches) await Promise.all(batch.map(one))
        // What can still be used is used.
        for (let i = 0; i < 16; i++) await one({ does: 'use', n: 1_100 + (i % 2) })

        for (const pid of both) {
          const all = (await shop.refunds.list()).filter((each) => each.pid === pid)
          const given = all.filter(({ state }) => state === 'approved').reduce((sum, { amount }) => sum + amount, 0n)
          const { uses } = thing
          const earned =
            uses === undefined ? (taken.get(pid) ?? 0n) : (price * BigInt((used.get(pid) ?? 0) + 1)) / BigInt(uses)
          expect(given + earned).toBeLessThanOrEqual(price)
          if (thing.seconds !== undefined && given > 0n) expect(used.get(pid)).toBe(0)
        }
      }),
      { numRuns: kind === 'SQLite' ? 30 : 10 },
    )
  }, 120_000)

  test('SRV-071 of a bundle a payer is given the uses that are left, all at once, and the first where it never came', async () => {
    const [{ refunds, entitlements, ...shop }] = shops
    const one = await sell({ refunds, entitlements, ...shop }, 1_000n, { uses: 3 })
    expect(await refunds.ask({ pid: one, ...byPayer })).toEqual({ ok: false, code: 'refund_of_used', unused: 667n })
    expect(await refunds.ask({ pid: one, ...byPayer, amount: 600n })).toMatchObject({ code: 'refund_denied' })
    await entitlements.redeem(one, 's')
    expect(await refunds.ask({ pid: one, ...byPayer, amount: 667n })).toMatchObject({ unused: 334n })
    expect(await refunds.ask({ pid: one, ...byPayer, amount: 334n })).toMatchObject({ ok: true })
    expect(await entitlements.redeem(one, 's')).toBeUndefined()
    // The use that ran was paid for: it failed, and is there again.
    await entitlements.giveBack(one)
    expect(await entitlements.redeem(one, 's')).toMatchObject({ left: 0 })
    expect(await entitlements.redeem(one, 's')).toBeUndefined()

    const owed = await sell({ refunds, entitlements, ...shop }, 500n, { uses: 3 }, false)
    expect(await refunds.ask({ pid: owed, ...byPayer })).toMatchObject({ ok: true, refund: { amount: 500n } })
  })

  test('SRV-071 an answer that never came goes back with the uses that are left, and is not given besides', async () => {
    const [{ refunds, entitlements, claims, ...shop }] = shops
    const again = (pid: Pid) => claims.claim({ pid, binding: 'b', expiresAt: 4_000_000_000, leaseMs: 10_000 })
    const pid = await sell({ refunds, entitlements, claims, ...shop }, 1_000n, { uses: 10 }, false)
    await entitlements.redeem(pid, 's')
    expect(await refunds.ask({ pid, ...byPayer, amount: 900n })).toMatchObject({ ok: true })
    expect((await refunds.get(pid))?.state).toBe('asked')
    expect(await refunds.approve(pid, 'bob')).toMatchObject({ ok: true })
    expect(await again(pid)).toEqual({ status: 'refunded' })

    // What it has paid for it keeps: an answer of which some was sent, and one that is being made.
    for (const state of ['partly', 'running']) {
      const kept = await sell({ refunds, entitlements, claims, ...shop }, 1_000n, { uses: 10 }, false)
      const claim = await again(kept)
      if (claim.status !== 'open') throw new Error(claim.status)
      if (state === 'partly') await claims.pause(claim.token, true)
      expect(await refunds.ask({ pid: kept, ...byPayer, amount: 900n })).toMatchObject({ ok: true })
      expect(await refunds.approve(kept, 'bob')).toMatchObject({ ok: true })
      expect(await again(kept)).toMatchObject({ status: state === 'partly' ? 'open' : 'busy' })
    }
  })

  test('SRV-071 what is used between asking and agreeing is not given back', async () => {
    const [shop] = shops
    const { refunds, entitlements } = shop
    for (const thing of [{ uses: 3 }, { credit: 0n }, { seconds: 60 }] as const) {
      const pid = await sell(shop, 900n, thing)
      const amount = 'uses' in thing ? 600n : 900n
      expect(await refunds.ask({ pid, ...byPayer, amount })).toMatchObject({ ok: true, refund: { state: 'asked' } })
      expect(await entitlements.redeem(pid, 's', { most: 100n })).toBeDefined()
      expect(await refunds.approve(pid, 'bob')).toMatchObject({ ok: false, code: 'refund_of_used' })
      expect(await refunds.get(pid)).toMatchObject({ state: 'asked' })
      // The seller may give away what is its own.
      expect(await refunds.reject(pid, 'bob')).toMatchObject({ ok: true })
      expect(await refunds.ask({ pid, part: 'goodwill', reason: 'sorry', by: 'ann' })).toMatchObject({
        refund: { amount: 900n },
      })
    }
  })

  test('SRV-066 SRV-071 what failed is given back by itself only where nothing else of it was used', async () => {
    const [shop] = shops
    const { entitlements, claims, refunds } = shop
    for (const thing of [{ uses: 3 }, { credit: 0n }, { seconds: 60 }] as const) {
      for (const isUsed of [true, false]) {
        const pid = await sell(shop, 900n, thing, false)
        const claim = await claims.claim({ pid, binding: 'b', expiresAt: 4_000_000_000, leaseMs: 10_000 })
        if (claim.status !== 'open' || claim.token === undefined) throw new Error(claim.status)
        if (isUsed) await entitlements.redeem(pid, 's', { most: 1n })
        expect(await claims.refund?.(claim.token, 'it failed')).toBe(!isUsed)
        expect((await refunds.get(pid))?.amount).toBe(isUsed ? undefined : 900n)
      }
    }
  })
})
