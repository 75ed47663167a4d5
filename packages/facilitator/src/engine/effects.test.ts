import { expect, test } from 'vitest'
import { claimed, request } from '../../test/one-payment.js'
import type { Checked, Journal } from '../journal/journal.js'
import { createEffects } from './effects.js'
import type { Route } from './route.js'

const rest = { clock: () => 1000, minRemainingSeconds: 6, finality: () => 1, onEvent: undefined }

test.each([
  [{ isAlone: false, named: undefined }, 'given away'],
  [{ isAlone: false, named: '0x0f' }, 'kept'],
  [{ isAlone: true, named: undefined }, 'kept'],
])(
  'a payment whose lane can send nothing is left to others, where others could sign for it: %o',
  async (where, becomes) => {
    const lane = { signer: '0x0f', blocked: 'signer_out_of_gas', expect: () => () => {} }
    const half = { verify: async () => ({ ok: false, code: 'invalid_payload' }) }
    const route = { half, laneOf: () => lane, signerOf: () => where.named }
    const given: unknown[] = []
    const journal = { give: async ({ pid }: { pid: unknown }) => given.push(pid) } as never as Journal
    const means = { reserved: 0n, undone: 0 }
    const effects = createEffects('0x03', request, route as never as Route, {
      ...{ ...rest, journal, means, isAlone: () => where.isAlone },
    })
    await effects({ do: 'check' }, { record: claimed })
    expect(given.length === 1 ? 'given away' : 'kept').toBe(becomes)
  },
)

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
    ...{ ...rest, journal, isAlone: () => true },
    means: { reserved: 0n, undone: 2 },
  })
  for (let check = 0; check < 3; check++) await effects({ do: 'check' }, { record: claimed })
  expect(signedBy).toEqual([2, 3, 4])
})
