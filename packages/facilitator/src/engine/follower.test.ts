import { network, paymentId } from '@groat/core'
import { expect, test } from 'vitest'
import { claimed } from '../../test/one-payment.js'
import type { SettlementRecord } from '../journal/record.js'
import type { Timers } from '../timers.js'
import { createFollower } from './follower.js'

const recordOf = (nonce: string): SettlementRecord => ({ ...claimed, pid: paymentId([network('base-sepolia'), nonce]) })

test('of payments that others carry no more is read than where they stand, until one has moved', async () => {
  const records = new Map(['1', '2', '3'].map((nonce) => [recordOf(nonce).pid, recordOf(nonce)]))
  const read: unknown[] = []
  const faults: unknown[] = []
  let due: (() => void) | undefined
  const journal = {
    standings: async (pids: readonly SettlementRecord['pid'][]) => pids.flatMap((pid) => records.get(pid) ?? []),
    async loadAll(pids: readonly SettlementRecord['pid'][]) {
      read.push(...pids)
      return pids.flatMap((pid) => records.get(pid) ?? [])
    },
  }
  const timers = {
    background(_: number, run: () => void) {
      due = run
      return () => {}
    },
  } as unknown as Timers
  const follower = createFollower(journal, timers, (error) => void faults.push(error))
  const look = async () => {
    due?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const [first, second] = ['1', '2', '3'].map((nonce) => follower.changed(recordOf(nonce)))
  await look()
  expect(read).toEqual([])
  const [one, two] = [
    { ...recordOf('1'), state: 'signed' as const },
    { ...recordOf('2'), owner: 'another' },
  ]
  for (const record of [one, two]) records.set(record.pid, record)
  await look()
  expect(await Promise.all([first, second])).toEqual([one, two])
  await look()
  expect([read, faults]).toEqual([[one.pid, two.pid], []])
  follower.stop()
})
