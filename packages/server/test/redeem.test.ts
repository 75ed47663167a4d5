import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Pid, paymentId } from '@groat/core'
import { createLedger } from '@groat/server/ledger'
import { sqlClaims } from '@groat/server/sql'
import { openStore, type Store } from '@groat/store'
import * as fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../store/test/embedded-postgres.js'

// Uses that wait for the same bundle are taken together.

let postgres: EmbeddedPostgres
let folder: string
const opened: Store[] = []
beforeAll(async () => {
  postgres = await startPostgres()
  folder = await mkdtemp(join(tmpdir(), 'groat-redeem-'))
}, 60_000)
afterAll(async () => {
  for (const store of opened) await store.close()
  await postgres?.remove()
  await rm(folder, { recursive: true, force: true })
})

let count = 0
const freshPid = (): Pid => paymentId(['test', String(count++)])

describe.each(['SQLite', 'PostgreSQL'])('uses on %s', (kind) => {
  async function open() {
    const store = await openStore(kind === 'SQLite' ? join(folder, 'shop.db') : postgres.url)
    opened.push(store)
    return store
  }
  const openShops = async () =>
    Promise.all([open(), open()].map(async (store) => (await sqlClaims(await store)).entitlements))

  const ask = fc.record({ shop: fc.constantFrom(0, 1), scope: fc.constantFrom('s', 's', 's', 'other') })

  test('SRV-029 whoever asks for them, at once and from two shops, as many uses are had as were bought, and each says what is left after it', async () => {
    const shops = await openShops()
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.array(ask, { minLength: 1, maxLength: 40 }),
        fc.nat(3),
        async (uses, asks, back) => {
          const pid = freshPid()
          const grant = { pid, scope: 's', uses, proof: '{}' }
          await shops[0]?.grant(grant)
          const had = await Promise.all(asks.map(({ shop, scope }) => shops[shop]?.redeem(pid, scope)))
          const wanted = asks.filter(({ scope }) => scope === 's').length
          const served = Math.min(uses, wanted)
          const lefts = had.flatMap((use) => (use?.left === undefined ? [] : [use.left]))
          expect(lefts.sort((a, b) => b - a)).toEqual(Array.from({ length: served }, (_, i) => uses - 1 - i))
          const returned = Math.min(back, served)
          for (let i = 0; i < returned; i++) await shops[1]?.giveBack(pid)
          expect(await shops[1]?.grant(grant)).toEqual({ left: uses - served + returned })
        },
      ),
      { numRuns: 25 },
    )
  })

  test('SRV-029 what is topped up while it is used is had as often as was bought together, of each as often as of it', async () => {
    const shops = await openShops()
    const number = fc.integer({ min: 1, max: 12 })
    await fc.assert(
      fc.asyncProperty(
        number,
        fc.array(number, { minLength: 1, maxLength: 3 }),
        fc.nat(40),
        async (uses, tops, asks) => {
          const root = freshPid()
          await shops[0]?.grant({ pid: root, scope: 's', uses, proof: 'root' })
          const grants = tops.map((more) => ({ pid: freshPid(), scope: 's', uses: more, proof: 'top', tops: root }))
          const [, ...had] = await Promise.all([
            Promise.all(grants.map((grant, i) => shops[i % 2]?.grant(grant))),
            ...Array.from({ length: asks }, (_, i) => shops[i % 2]?.redeem(root, 's')),
          ])
          const more: typeof had = []
          for (let use = await shops[0]?.redeem(root, 's'); use !== undefined; use = await shops[1]?.redeem(root, 's'))
            more.push(use)
          const of = [...had, ...more].flatMap((use) => (use === undefined ? [] : [use.pid ?? root]))
          const counts = [root, ...grants.map(({ pid }) => pid)].map((pid) => of.filter((each) => each === pid).length)
          expect(counts).toEqual([uses, ...tops])
          expect(more.at(-1)?.left ?? 0).toBe(0)
        },
      ),
      { numRuns: 15 },
    )
  })

  test('SRV-029 of a credit never more is taken than there is', async () => {
    const shops = await openShops()
    const take = fc.record({ shop: fc.constantFrom(0, 1), most: fc.bigInt({ min: 1n, max: 400n }) })
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt({ min: 1n, max: 2_000n }),
        fc.array(take, { minLength: 1, maxLength: 30 }),
        async (credit, takes) => {
          const pid = freshPid()
          const grant = { pid, scope: 's', credit, proof: '{}' }
          await shops[0]?.grant(grant)
          const had = await Promise.all(takes.map(({ shop, most }) => shops[shop]?.redeem(pid, 's', { most })))
          const sum = (parts: readonly bigint[]) => parts.reduce((all, part) => all + part, 0n)
          const taken = sum(had.map((use) => use?.taken ?? 0n))
          const wanted = sum(takes.map(({ most }) => most))
          const isEnough = wanted < credit
          expect(taken).toBe(isEnough ? wanted : credit)
          expect(await shops[0]?.grant(grant)).toEqual({ credit: credit - taken })
          had.forEach((use, i) => {
            if (use?.credit !== undefined && use.credit > 0n) expect(use.taken).toBe(takes[i]?.most)
          })
        },
      ),
      { numRuns: 25 },
    )
  })

  test('a use whose statement fails takes nothing, and fails none beside it', async () => {
    const store = await open()
    const { book } = await createLedger(store)
    const sizes: number[] = []
    const { entitlements } = await sqlClaims(store, {
      ledger: {
        book: {
          ...book,
          used: async (trx, pid, uses) => {
            sizes.push(uses.length)
            await book.used(trx, pid, uses)
            if (uses.some(({ route }) => route === 'bad')) await sql`insert into no_such_table values (1)`.execute(trx)
          },
        },
      },
    })
    const pid = freshPid()
    const grant = { pid, scope: 's', uses: 20, proof: '{}' }
    await entitlements.grant(grant)
    const routes = ['good', 'good', 'bad', 'good', 'bad', 'good', 'good']
    const ends = await Promise.allSettled(routes.map((route) => entitlements.redeem(pid, 's', { route })))
    expect(ends.map((end) => (end.status === 'fulfilled' ? end.value?.left : 'failed'))).toEqual([
      19,
      18,
      'failed',
      17,
      'failed',
      16,
      15,
    ])
    expect(sizes).toEqual([1, 6, 1, 1, 1, 1, 1, 1])
    expect(await entitlements.grant(grant)).toEqual({ left: 15 })
  })

  test('a pass is good for as many uses at once as one likes, until its time is over', async () => {
    const [one, two] = await openShops()
    const pid = freshPid()
    await one?.grant({ pid, scope: 's', seconds: 3_600, proof: '{}' })
    const uses = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two)?.redeem(pid, 's')))
    expect(uses.every((use) => use?.expiresAt !== undefined && use.left === undefined)).toBe(true)
    await one?.revoke(pid)
    expect(await two?.redeem(pid, 's')).toBeUndefined()
    expect(await one?.redeem(freshPid(), 's')).toBeUndefined()
  })
})
