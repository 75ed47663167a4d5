import { network, paymentId, requirementsId } from '@groat/core'
import { expect, test } from 'vitest'
import type { Journal } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import { systemTimers } from '../timers.js'
import type { Route } from './route.js'
import { createSettler } from './settler.js'

const NETWORK = network('base-sepolia')
const terms = { scheme: 'exact', network: NETWORK, amount: 7n, asset: '0x01', payTo: '0x02', extra: {} }
const requirements = { ...terms, maxTimeoutSeconds: 60 }
const request = { payment: { x402Version: 2, scheme: 'exact', network: NETWORK, payload: {} }, requirements } as const

/** Its transaction has failed, and the payment may be alive. */
const record: SettlementRecord = {
  ...{ pid: paymentId([NETWORK, 'n']), rid: requirementsId(requirements), network: NETWORK, scheme: 'exact' },
  ...{ payer: '0x03', payTo: '0x02', asset: '0x01', amount: 7n, expiresAt: 2000, place: 0 },
  ...{ state: 'sent', owner: 'r', requestText: '{}' },
  attempts: [{ transaction: { hash: 'a', signer: 's', nonce: 0n, raw: 'raw' }, slot: 's 0', status: 'failed' }],
}

test('FAC-048 a payment that would be signed for again, where no lane is held, waits for one: others go on meanwhile', async () => {
  let asked = 0
  const reported: unknown[] = []
  const route = {
    half: { outcome: async () => ({ status: 'pending' }) },
    laneOf() {
      asked += 1
      if (asked > 50) throw new Error('asked again and again in one turn')
    },
  }
  const settler = createSettler({
    ...{ clock: () => 1000, minRemainingSeconds: 6, finality: () => 1, onEvent: undefined, timers: systemTimers },
    // Nothing else of them is used here.
    journal: { replica: 'r' } as Journal,
    report: (error) => {
      reported.push(error)
      return ''
    },
  })
  await settler.carry(record, request, route as never as Route).looked
  await settler.stop()
  expect(reported).toEqual([])
  expect(asked).toBe(1)
})
