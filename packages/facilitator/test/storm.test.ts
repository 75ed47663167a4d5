import { checkHistory } from '@groat/sandbox'
import { expect, test } from 'vitest'
import { useFacilitator } from './chain-kit.js'
import { recordHistory } from './record-history.js'

const on = useFacilitator()

test('L3 in short: whoever presents a payment, and however often at once, it settles once and all are told the same', async () => {
  const service = await on.serve()
  const requests = await Promise.all(Array.from({ length: 8 }, () => on.pay()))
  const told = await Promise.all(
    requests.map(async (request) => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => service.settle(request)))
      return new Set(
        answers.map((answer) => JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? `${value}` : value))),
      )
    }),
  )
  expect(told.map((answers) => answers.size)).toEqual(requests.map(() => 1))
  await on.expectMoved(8)
  const findings = checkHistory(await recordHistory(on))
  expect(findings.filter(({ status }) => status === 'broken')).toEqual([])
  expect(findings.filter(({ status }) => status === 'held').map(({ id }) => id)).toEqual(
    expect.arrayContaining(['INV-4', 'INV-6', 'INV-7', 'INV-8', 'INV-9', 'INV-10', 'INV-21', 'INV-22']),
  )
})
