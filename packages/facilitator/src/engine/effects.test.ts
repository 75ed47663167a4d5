import { network, paymentId, requirementsId } from '@groat/core'
import { expect, test } from 'vitest'
import type { Journal } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import { createEffects } from './effects.js'
import type { Route } from './route.js'

const NETWORK = network('base-sepolia')
const terms = { scheme: 'exact', network: NETWORK, amount: 7n, asset: '0x01', payTo: '0x02', extra: {} }
const requirements = { ...terms, maxTimeoutSeconds: 60 }
const request = { payment: { x402Version: 2, scheme: 'exact', network: NETWORK, payload: {} }, requirements } as const

const record: SettlementRecord = {
  ...{ pid: paymentId([NETWORK, 'n']), rid: requirementsId(requirements), network: NETWORK, scheme: 'exact' },
  ...{ payer: '0x03', payTo: '0x02', asset: '0x01', amount: 7n, expiresAt: 2000, place: 0 },
  ...{ state: 'claimed', owner: 'r', requestText: '{}', attempts: [] },
}

test.each([
  ['while it is checked', true],
  ['never', false],
])('INV-11 what was found good is not signed for when blocks were undone since: %s', async (_, isUndone) => {
  const lane = {
    ...{ signer: '0x0f', undone: 0 },
    expect: () => () => {},
    // It stood in line for no time at all.
    sign: async (_record: unknown, _call: unknown, late: () => boolean) =>
      late() ? 'late' : { ...record, state: 'signed' },
  }
  const half = {
    async verify() {
      if (isUndone) lane.undone += 1
      return { ok: true, payer: '0x03' }
    },
    prepare: async () => ({}),
  }
  const effects = createEffects('0x03', request, { half, laneOf: () => lane } as never as Route, {
    ...{ clock: () => 1000, minRemainingSeconds: 6, finality: () => 1, onEvent: undefined, reserved: 0n },
    journal: {} as Journal,
  })
  const facts = await effects({ do: 'check' }, { record })
  expect(facts?.record.state).toBe(isUndone ? 'claimed' : 'signed')
})
