import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Pid, paymentId } from '@groat/core'
import { createMemoryClaims } from '@groat/server'
import { sqlClaims } from '@groat/server/sql'
import { openStore } from '@groat/store'
import { expect, test } from 'vitest'
import { describeEntitlements } from './entitlement-suite.js'
import { expressNew, expressOld, fastify, fetchStyle, hono, plainNode } from './frameworks.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, plainNode]) describeEntitlements(framework)

const pidOf = (n: number): Pid => paymentId(['test', String(n)])

test('SRV-029 a bundle in a database that two connections share is used as often as it was sold', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bundle-'))
  const stores = [await openStore(join(folder, 'shop.db')), await openStore(join(folder, 'shop.db'))]
  const [one, two] = await Promise.all(stores.map((store) => sqlClaims(store)))
  if (one === undefined || two === undefined) throw new Error('no store')
  expect(one.entitlements.key).toEqual(two.entitlements.key)
  const grant = { pid: pidOf(1), scope: 's', uses: 50, proof: '{}' }
  expect(await one.entitlements.grant(grant)).toEqual({ left: 50 })
  expect(await two.entitlements.grant({ ...grant, uses: 99 })).toEqual({ left: 50 })
  const uses = await Promise.all(
    Array.from({ length: 120 }, (_, i) => (i % 2 === 0 ? one : two).entitlements.redeem(pidOf(1), 's')),
  )
  expect(uses.filter((use) => use !== undefined)).toHaveLength(50)
  await two.entitlements.giveBack(pidOf(1))
  expect(await one.entitlements.redeem(pidOf(1), 'other')).toBeUndefined()
  expect(await one.entitlements.redeem(pidOf(1), 's')).toEqual({ left: 0, proof: '{}' })
  expect(await one.entitlements.redeem(pidOf(1), 's')).toBeUndefined()
  for (const store of stores) await store.close()
  await rm(folder, { recursive: true })
})

test('SRV-044 SRV-029 of what tops a bundle up in a database no more is used than was bought, each of its own payment', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bundle-'))
  const stores = [await openStore(join(folder, 'shop.db')), await openStore(join(folder, 'shop.db'))]
  const [one, two] = (await Promise.all(stores.map((store) => sqlClaims(store)))).map((each) => each.entitlements)
  if (one === undefined || two === undefined) throw new Error('no store')
  const grant = { scope: 's', uses: 20, proof: '{}' }
  await one.grant({ ...grant, pid: pidOf(1) })
  const top = { ...grant, pid: pidOf(2), tops: pidOf(1) }
  expect(await two.grant(top)).toEqual({ left: 40, of: pidOf(1) })
  expect(await one.grant(top)).toEqual({ left: 40, of: pidOf(1) })
  // What tops up what tops up belongs to the first.
  expect(await one.grant({ ...top, pid: pidOf(3), tops: pidOf(2) })).toEqual({ left: 60, of: pidOf(1) })
  expect(await one.grant({ ...top, pid: pidOf(4), scope: 'other' })).toEqual({ left: 20 })
  const uses = await Promise.all(Array.from({ length: 90 }, (_, i) => (i % 2 === 0 ? one : two).redeem(pidOf(1), 's')))
  const had = uses.flatMap((use) => (use === undefined ? [] : [use.pid ?? pidOf(1)]))
  expect([1, 2, 3].map((n) => had.filter((pid) => pid === pidOf(n)).length)).toEqual([20, 20, 20])
  await two.giveBack(pidOf(3))
  expect(await one.redeem(pidOf(1), 's')).toEqual({ left: 0, proof: '{}', pid: pidOf(3) })
  expect(await one.redeem(pidOf(1), 's')).toBeUndefined()
  // What is given back of one takes nothing of the others.
  await one.grant({ ...grant, pid: pidOf(5), tops: pidOf(1) })
  await one.revoke(pidOf(1))
  expect(await two.redeem(pidOf(1), 's')).toEqual({ left: 19, proof: '{}', pid: pidOf(5) })

  const credit = { scope: 'c', credit: 10n, proof: '{}' }
  await one.grant({ ...credit, pid: pidOf(6) })
  expect(await one.grant({ ...credit, pid: pidOf(7), tops: pidOf(6) })).toEqual({ credit: 20n, of: pidOf(6) })
  expect(await one.redeem(pidOf(6), 'c', { most: 8n })).toMatchObject({ credit: 12n, taken: 8n })
  // A rest that is too small waits while another payment has enough (SRV-072).
  expect(await one.redeem(pidOf(6), 'c', { most: 8n })).toMatchObject({ credit: 4n, taken: 8n, pid: pidOf(7) })
  expect(await one.redeem(pidOf(6), 'c', { most: 2n })).toMatchObject({ credit: 2n, taken: 2n })
  expect(await one.redeem(pidOf(6), 'c', { most: 8n })).toMatchObject({ credit: 0n, taken: 2n, pid: pidOf(7) })
  for (const store of stores) await store.close()
  await rm(folder, { recursive: true })
})

test('a pass runs out by the clock of the store', async () => {
  let now = 1_800_000_000_000
  const { entitlements } = createMemoryClaims({ singleProcess: true, clock: () => now })
  expect(await entitlements.grant({ pid: pidOf(1), scope: 's', seconds: 60, proof: '{}' })).toEqual({
    expiresAt: now + 60_000,
  })
  expect(await entitlements.redeem(pidOf(1), 's')).toMatchObject({ proof: '{}' })
  now += 60_000
  expect(await entitlements.redeem(pidOf(1), 's')).toBeUndefined()
})

test.each([
  ['bundle', { uses: 1 }, { left: 0 }],
  ['pass', { seconds: 1 }, { expiresAt: 1_800_000_001_000 }],
])('SRV-029 a %s that is used up is not had again by the payment that bought it', async (_, sold, over) => {
  let now = 1_800_000_000_000
  const { entitlements } = createMemoryClaims({ singleProcess: true, clock: () => now })
  const grant = { pid: pidOf(0), scope: 's', ...sold, proof: '{}' }
  await entitlements.grant(grant)
  expect(await entitlements.redeem(pidOf(0), 's')).toBeDefined()
  now += 60_000
  // Enough of others that the memory is tidied up.
  for (let n = 1; n <= 1_100; n++) await entitlements.grant({ ...grant, pid: pidOf(n), uses: 5 })
  expect(await entitlements.grant(grant)).toEqual(over)
  expect(await entitlements.redeem(pidOf(0), 's')).toBeUndefined()
})

test('SRV-044 what topped up a bundle that was used up long ago is still had by its bearer', async () => {
  let now = 1_800_000_000_000
  const { entitlements } = createMemoryClaims({ singleProcess: true, clock: () => now })
  const grant = { pid: pidOf(0), scope: 's', uses: 1, proof: '{}' }
  await entitlements.grant(grant)
  expect(await entitlements.redeem(pidOf(0), 's')).toBeDefined()
  await entitlements.grant({ ...grant, pid: pidOf(1), tops: pidOf(0) })
  now += 61 * 86_400_000
  // Enough of others that the memory is tidied up.
  for (let n = 2; n <= 1_100; n++) await entitlements.grant({ ...grant, pid: pidOf(n) })
  expect(await entitlements.redeem(pidOf(0), 's')).toEqual({ left: 0, proof: '{}', pid: pidOf(1) })
})
