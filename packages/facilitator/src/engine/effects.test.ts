import { expect, test } from 'vitest'
import { claimed, request } from '../../test/one-payment.js'
import type { Journal } from '../journal/journal.js'
import { createEffects } from './effects.js'
import type { Route } from './route.js'

test.each([
  ['while it is checked', true],
  ['never', false],
])('INV-11 what was found good is not signed for when blocks were undone since: %s', async (_, isUndone) => {
  const lane = {
    ...{ signer: '0x0f', undone: 0 },
    expect: () => () => {},
    // It stood in line for no time at all.
    sign: async (_record: unknown, _call: unknown, late: () => boolean) =>
      late() ? 'late' : { ...claimed, state: 'signed' },
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
  const facts = await effects({ do: 'check' }, { record: claimed })
  expect(facts?.record.state).toBe(isUndone ? 'claimed' : 'signed')
})
