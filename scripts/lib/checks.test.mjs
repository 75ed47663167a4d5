import { expect, test } from 'vitest'
import { runChecks } from './checks.mjs'

test('a check that does not exist is not passed', async () => {
  const lines = []
  const running = runChecks({ only: ['nosuch'], print: (line) => lines.push(line) })
  await expect(running).rejects.toThrow(/there is no check nosuch; there are changesets, generated, /)
  expect(lines).toEqual([])
})
