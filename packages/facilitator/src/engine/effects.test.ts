import { expect, test } from 'vitest'
import { claimed, request } from '../../test/one-payment.js'
import type { Checked, Journal } from '../journal/journal.js'
import { createEffects } from './effects.js'
import type { Route } from './route.js'

test('INV-11 a payment is signed for by what its own check went by: the claim said it for the first, the journal says it for each after that', async () => {
  const signedBy: number[] = []
  const lane = {
    signer: '0x0f',
    expect: () => () => {},
    async sign({ undone }: Checked) {
      signedBy.push(undone)
      return 'late'
    },
  }
  const half = { verify: async () => ({ ok: true, payer: '0x03' }), prepare: async () => ({}) }
  let undone = 3
  const journal = { means: async () => ({ reserved: 0n, undone: undone++ }) } as never as Journal
  const effects = createEffects('0x03', request, { half, laneOf: () => lane } as never as Route, {
    ...{ clock: () => 1000, minRemainingSeconds: 6, finality: () => 1, onEvent: undefined, journal },
    means: { reserved: 0n, undone: 2 },
  })
  for (let check = 0; check < 3; check++) await effects({ do: 'check' }, { record: claimed })
  expect(signedBy).toEqual([2, 3, 4])
})
