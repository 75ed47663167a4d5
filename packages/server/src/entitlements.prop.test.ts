import { type Pid, paymentId } from '@groat/core'
import { openMemoryStore } from '@groat/store'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMemoryEntitlements, type Entitlements, type Lot, lotFor, type Redeemed } from './entitlements.js'
import { sqlClaims } from './sql.js'

const credits = fc.record({
  credit: fc.bigInt(0n, 20n),
  since: fc.integer({ min: 0, max: 5 }),
  end: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
})
const lotsOf = (parts: readonly { credit: bigint; since: number; end?: number | undefined }[]): readonly Lot[] =>
  parts.map(({ credit, since, end }) => ({
    since,
    balance: { credit, ...(end === undefined ? {} : { expiresAt: end }) },
  }))

test('SRV-072 a use is taken of what covers it, of that what ends first, of that the oldest; and else of the most', () => {
  fc.assert(
    fc.property(fc.array(credits, { maxLength: 6 }), fc.bigInt(1n, 20n), (parts, most) => {
      const now = 10
      const lots = lotsOf(parts)
      const alive = lots.filter(({ balance: b }) => (b.credit ?? 0n) > 0n && (b.expiresAt ?? 99) > now)
      const chosen = lotFor(lots, now, most)
      if (alive.length === 0) {
        expect(chosen).toBeUndefined()
        return
      }
      const credit = chosen?.balance.credit ?? 0n
      const covering = alive.filter(({ balance: b }) => (b.credit ?? 0n) >= most)
      if (covering.length === 0) {
        for (const { balance: b } of alive) expect(credit).toBeGreaterThanOrEqual(b.credit ?? 0n)
        return
      }
      expect(credit).toBeGreaterThanOrEqual(most)
      const rank = ({ balance: b, since }: Lot) => (b.expiresAt ?? 99) * 10 + since
      for (const each of covering) expect(rank(chosen ?? each)).toBeLessThanOrEqual(rank(each))
    }),
  )
})

test('SRV-072 of uses, which cover each other, the one that ends first and then the oldest', () => {
  const lot = (left: number, since: number, expiresAt?: number): Lot => ({
    since,
    balance: { left, ...(expiresAt === undefined ? {} : { expiresAt }) },
  })
  const [empty, old, young, ending, over] = [lot(0, 1), lot(5, 2), lot(5, 3), lot(5, 4, 50), lot(5, 1, 10)]
  const among = (...lots: (Lot | undefined)[]) =>
    lotFor(
      lots.filter((each) => each !== undefined),
      10,
    )
  expect(among(empty, young, old, over)).toBe(old)
  expect(among(empty, young, old, over, ending)).toBe(ending)
  expect(among(empty, over)).toBeUndefined()
})

const pidOf = (n: number): Pid => paymentId(['lot', String(n)])

/** What several payments that are used as one give for uses of at most so much, until nothing is left. */
async function drain(entitlements: Entitlements, run: number, sums: readonly bigint[], uses: readonly bigint[]) {
  const root = pidOf(run)
  for (const [i, credit] of sums.entries()) {
    const pid = i === 0 ? root : pidOf(run + i)
    await entitlements.grant({ pid, scope: 's', credit, proof: '{}', ...(i === 0 ? {} : { tops: root }) })
  }
  const left = new Map(sums.map((credit, i) => [i === 0 ? root : pidOf(run + i), credit]))
  const took: bigint[] = []
  const take = async (most: bigint): Promise<Redeemed | undefined> => {
    const redeemed = await entitlements.redeem(root, 's', { most })
    if (redeemed === undefined) return undefined
    const { pid = root, taken = 0n } = redeemed
    const before = left.get(pid) ?? 0n
    const isCovered = [...left.values()].some((credit) => credit >= most)
    expect(taken).toBe(isCovered ? most : before)
    left.set(pid, before - taken)
    took.push(taken)
    return redeemed
  }
  for (const most of uses) await take(most)
  // Nothing is lost: small uses empty what large ones left behind.
  while ((await take(3n)) !== undefined);
  return { took, left: [...left.values()] }
}

test('SRV-072 no use gets less than it may cost while one payment has it, and no rest is lost; in memory as in a database', async () => {
  const store = await openMemoryStore()
  const { entitlements } = await sqlClaims(store)
  const memory = createMemoryEntitlements()
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.bigInt(1n, 30n), { minLength: 1, maxLength: 4 }),
      fc.array(fc.bigInt(1n, 12n), { maxLength: 12 }),
      async (sums, uses) => {
        run += 10
        const inMemory = await drain(memory, run, sums, uses)
        const inSql = await drain(entitlements, run, sums, uses)
        const total = sums.reduce((sum, each) => sum + each, 0n)
        for (const { took, left } of [inMemory, inSql]) {
          expect(took.reduce((sum, each) => sum + each, 0n)).toBe(total)
          expect(left.every((credit) => credit === 0n)).toBe(true)
        }
      },
    ),
    { numRuns: 25 },
  )
  await store.close()
})
