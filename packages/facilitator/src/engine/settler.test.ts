import { X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import { claimed, request } from '../../test/one-payment.js'
import type { Journal } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import { systemTimers, type Timers } from '../timers.js'
import type { Route } from './route.js'
import { createSettler } from './settler.js'

/** Its transaction has failed, and the payment may be alive. */
const record: SettlementRecord = {
  ...claimed,
  state: 'sent',
  attempts: [{ transaction: { hash: 'a', signer: 's', nonce: 0n, raw: 'raw' }, slot: 's 0', status: 'failed' }],
}

test('FAC-048 a payment that would be signed for again, where no lane is held, is left to whoever holds one', async () => {
  const given: unknown[] = []
  const reported: unknown[] = []
  const route = {
    half: { outcome: async () => ({ status: 'pending' }) },
    laneOf: () => undefined,
    laneBy: () => ({ mind() {} }),
  }
  const { owner: _, ...unowned } = record
  const journal: Pick<Journal, 'replica' | 'give' | 'loadAll' | 'standings'> = {
    replica: 'r',
    async give({ pid }) {
      given.push(pid)
      if (given.length > 50) throw new Error('given away again and again')
      return unowned
    },
    loadAll: async () => [{ ...unowned, state: 'settled', owner: 's' }],
    standings: async () => [{ pid: record.pid, state: 'settled', owner: 's' }],
  }
  const settler = createSettler({
    ...{
      clock: () => 1000,
      minRemainingSeconds: 6,
      finality: () => 1,
      lag: () => 5000,
      onEvent: undefined,
      timers: systemTimers,
    },
    isAlone: () => true,
    isReached: () => false,
    // Nothing else of it is used here.
    journal: journal as Journal,
    report: (error) => {
      reported.push(error)
      return ''
    },
  })
  const run = settler.carry(record, request, route as never as Route)
  await run.end
  await settler.stop()
  expect({ given, reported, state: run.record.state }).toEqual({ given: [record.pid], reported: [], state: 'settled' })
})

/** Time that passes only while it is waited for. */
function worldAt(start: number) {
  const world = { now: start, faults: [] as unknown[] }
  const timers: Pick<Timers, 'after'> = {
    after(milliseconds, call) {
      const turn = setImmediate(() => {
        world.now += milliseconds
        call()
      })
      return () => clearImmediate(turn)
    },
  }
  const settler = createSettler({
    ...{ clock: () => world.now, minRemainingSeconds: 6, finality: () => 1, lag: () => 5000, onEvent: undefined },
    isAlone: () => true,
    isReached: () => false,
    // Nothing else of them is used here.
    timers: timers as Timers,
    journal: {
      replica: 'r',
      means: async () => ({ reserved: 0n, undone: 0 }),
      load: async () => record,
    } as never as Journal,
    report(error) {
      world.faults.push(error)
      return ''
    },
  })
  return {
    world,
    /** Carries a payment by a lane that signs so, until then or until it is settled. */
    async carry(half: object, sign: () => Promise<unknown>, until: number) {
      const lane = { signer: 's', held: true, outbids: () => 0, expect: () => () => {}, mind() {}, sign }
      const route = { half: { prepare: async () => ({}), ...half }, laneOf: () => lane, laneBy: () => lane }
      const run = settler.carry(record, request, route as never as Route)
      while (run.record.state !== 'settled' && world.now < until) await systemTimers.turn()
      await settler.stop()
      return run.record.state
    },
  }
}

test('LIV a payer that has the money again is paid from, and is asked after it now and then only', async () => {
  const { world, carry } = worldAt(1_000_000)
  const checkedAt: number[] = []
  const half = {
    outcome: async () => ({ status: 'pending' }),
    async verify() {
      checkedAt.push(world.now)
      return world.now < 1_030_000 ? { ok: false, code: 'invalid_exact_evm_insufficient_balance' } : { ok: true }
    },
  }
  expect(await carry(half, async () => ({ ...record, state: 'settled' }), 1_040_000)).toBe('settled')
  const pauses = checkedAt.slice(1).map((at, before) => at - (checkedAt[before] ?? 0))
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(5000)
  expect(Math.max(...pauses)).toBeLessThan(7000)
})

test('A19 a payment that waits for its lane says why once, and again when that is something else, and asks ever more slowly', async () => {
  const { world, carry } = worldAt(1_000_000)
  let looks = 0
  const half = {
    async outcome(_: unknown, __: unknown, sent: readonly unknown[]) {
      if (sent.length === 0) looks += 1
      return { status: 'pending' }
    },
    verify: async () => ({ ok: true }),
  }
  const codes = ['signer_out_of_gas', 'fee_above_limit', 'signer_out_of_gas'] as const
  const sign = async () => {
    throw new X402Error(codes[Math.floor((world.now - 1_000_000) / 60_000)] ?? codes[2])
  }
  await carry(half, sign, 1_180_000)
  expect(world.faults).toMatchObject(codes.map((code) => ({ code })))
  expect(looks).toBeLessThan(50)
})
