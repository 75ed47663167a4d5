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
