import type { Refunds } from '@groat/server/refunds'
import { expect, test } from 'vitest'
import { createKeeping } from './keeping.js'

test('refunds are paid by one at a time, and by nobody once the shop has closed', async () => {
  const told: string[] = []
  const paying = (name: string) =>
    ({
      start: () => {
        told.push(`${name} begins`)
        return { stop: async () => void told.push(`${name} ends`) }
      },
    }) as unknown as Refunds
  const refunding = createKeeping<Refunds>()
  refunding.use(paying('first'))
  refunding.use(paying('second'))
  await refunding.stop()
  // A file that was being read when the shop was told to stop.
  refunding.use(paying('third'))
  await refunding.stop()
  expect(told).toEqual(['first begins', 'first ends', 'second begins', 'second ends'])
})
