import type { Pid } from '@groat/core'
import { openMemoryStore, openStore, type Store } from '@groat/store'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../../store/test/embedded-postgres.js'
import { createExposures, type Exposures } from './exposure.js'
import { sqlExposures } from './sql-exposures.js'

// A payer with one balance, and facilitators that verify and settle its payments in any order. What is promised, and what was verified
// before it was settled, never comes to more than the balance.

let server: EmbeddedPostgres
let replicas: readonly Store[]
let accounts = 0
beforeAll(async () => {
  server = await startPostgres()
  replicas = await Promise.all([openStore(server.url), openStore(server.url)])
})
afterAll(async () => {
  await Promise.all((replicas ?? []).map((each) => each.close()))
  await server?.remove()
})

const pidOf = (index: number) => `pid-${index}` as Pid
const NOW = 1_000
const MOST = 1_000

/** Verifies as the facilitator's half does: looks, asks the chain, takes. What others do may come between any two of its steps. */
async function verify(by: Exposures, account: string, pid: Pid, amount: bigint, chain: () => Promise<bigint>) {
  const before = await by.look(account, pid, NOW)
  const has = await chain()
  if (has < amount) return false
  const limits = { now: NOW, maxOpen: MOST, before }
  const exposure = { account, pid, amount, until: NOW + 60 }
  const first = await by.take(exposure, { ...limits, ...(before.count > 0 ? { means: [has] } : {}) })
  if (first !== 'unknown') return first === 'taken'
  const seen = await by.look(account, pid, NOW)
  return (await by.take(exposure, { ...limits, before: seen, means: [await chain()] })) === 'taken'
}

const arbRace = fc.record({
  balance: fc.bigInt({ min: 0n, max: 100n }),
  payments: fc.array(
    fc.record({ ceiling: fc.bigInt({ min: 1n, max: 80n }), part: fc.nat({ max: 100 }), replica: fc.nat({ max: 1 }) }),
    { minLength: 2, maxLength: 6 },
  ),
  scheduler: fc.scheduler(),
})

type Race = { balance: bigint; payments: { ceiling: bigint; part: number; replica: number }[]; scheduler: fc.Scheduler }

/** Every payment that was verified is settled, at the time that the scheduler says, and must find the money. */
async function race(stores: readonly Exposures[], { balance, payments, scheduler }: Race): Promise<void> {
  const account = `account-${accounts++}`
  let left = balance
  const overdrawn: bigint[] = []
  const running = Promise.all(
    payments.map(async ({ ceiling, part, replica }, index) => {
      const by = stores[replica % stores.length]!
      const pid = pidOf(index)
      await scheduler.schedule(Promise.resolve(), `verify ${index}`)
      const chain = () => scheduler.schedule(Promise.resolve(), `ask ${index}`).then(() => left)
      if (!(await verify(by, account, pid, ceiling, chain))) return
      await scheduler.schedule(Promise.resolve(), `settle ${index}`)
      const charged = (ceiling * BigInt(part)) / 100n
      await by.hold({ account, pid, amount: charged, until: NOW + 60 })
      await scheduler.schedule(Promise.resolve(), `mine ${index}`)
      if (charged > left) overdrawn.push(charged)
      left -= charged
      await scheduler.schedule(Promise.resolve(), `learn ${index}`)
      await by.free(account, pid, NOW)
    }),
  )
  await scheduler.waitFor(running)
  expect([overdrawn, left >= 0n]).toEqual([[], true])
}

describe('EVM-UPTO-045 no balance is promised twice', () => {
  test('in one process', async () => {
    await fc.assert(
      fc.asyncProperty(arbRace, (given) => race([createExposures()], given)),
      { numRuns: 300 },
    )
  })

  test('by two replicas on one PostgreSQL', async () => {
    const shared = await Promise.all(replicas.map(sqlExposures))
    await fc.assert(
      fc.asyncProperty(arbRace, (given) => race(shared, given)),
      { numRuns: 6 },
    )
  })

  test('and replicas that share nothing do promise it twice', async () => {
    const alone = [createExposures(), createExposures()]
    const run = fc.check(
      fc.asyncProperty(arbRace, (given) => race(alone, given)),
      { numRuns: 300 },
    )
    expect((await run).failed).toBe(true)
  })

  test('nor by replicas that take at one moment', async () => {
    const shared = await Promise.all(replicas.map(sqlExposures))
    const account = `account-${accounts++}`
    const taken = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        verify(shared[index % 2]!, account, pidOf(index), 30n, async () => 100n),
      ),
    )
    expect(taken.filter(Boolean).length).toBeGreaterThan(0)
    expect(taken.filter(Boolean).length).toBeLessThanOrEqual(3)
  })
})

test('EVM-UPTO-045 a process that is started anew knows what is open, and forgets what is over', async () => {
  const store = await openMemoryStore()
  try {
    const take = async (by: Exposures, pid: Pid, now: number) => {
      const before = await by.look('a', pid, now)
      return by.take({ account: 'a', pid, amount: 60n, until: 100 }, { now, maxOpen: 2, before, means: [100n] })
    }
    expect(await take(await sqlExposures(store), pidOf(1), 0)).toBe('taken')
    const again = await sqlExposures(store)
    expect(await take(again, pidOf(1), 0)).toBe('taken')
    expect(await take(again, pidOf(2), 100)).toBe('exceeded')
    expect(await take(again, pidOf(2), 101)).toBe('taken')
    expect(await again.look('a', pidOf(3), 0)).toMatchObject({ count: 1, amount: 60n })
  } finally {
    await store.close()
  }
})
