import type { ErrorCode } from '@groat/core'
import { expect, test } from 'vitest'
import { createStanding } from './standing.js'

function standing() {
  const told: (ErrorCode | undefined)[] = []
  let sentAway = 0
  const made = createStanding({ onBlock: () => ++sentAway, onTold: (code) => void told.push(code) })
  return { made, told, sentAway: () => sentAway }
}

test('that a lane can send nothing is told once, and that it can again', () => {
  const { made, told, sentAway } = standing()
  made.block('signer_out_of_gas')
  made.block('signer_out_of_gas')
  expect([made.blocked, told, sentAway()]).toEqual(['signer_out_of_gas', ['signer_out_of_gas'], 1])
  // It may be over: whoever is sent next will show, and that it is not is no news.
  made.doubt()
  expect(made.blocked).toBeUndefined()
  made.block('signer_out_of_gas')
  expect([told.length, sentAway()]).toEqual([1, 2])
  made.accept()
  made.accept()
  expect([made.blocked, told]).toEqual([undefined, ['signer_out_of_gas', undefined]])
})

test('a signer with nothing at all is out of gas, whatever becomes of what it has signed, until it has something', () => {
  const { made, told } = standing()
  made.weigh(0n)
  made.doubt()
  expect(made.blocked).toBe('signer_out_of_gas')
  made.weigh(1n)
  expect([made.blocked, told]).toEqual([undefined, ['signer_out_of_gas', undefined]])
  // That it has something does not make it enough.
  made.block('signer_out_of_gas')
  made.weigh(1n)
  expect(made.blocked).toBe('signer_out_of_gas')
})

test('an hour that is used up blocks, whatever a node takes, until there is enough again', () => {
  const { made, told, sentAway } = standing()
  made.afford(true)
  expect(told).toEqual([])
  made.afford(false)
  made.accept()
  made.doubt()
  made.afford(false)
  expect([made.blocked, told, sentAway()]).toEqual(['fee_above_limit', ['fee_above_limit'], 1])
  made.weigh(0n)
  expect(made.blocked).toBe('signer_out_of_gas')
  made.weigh(1n)
  made.afford(true)
  expect([made.blocked, told.at(-1)]).toEqual([undefined, undefined])
  made.afford(false)
  made.lose()
  expect(made.blocked).toBeUndefined()
})

test('what was known of a lane that is somebody else’s is not known any more', () => {
  const { made } = standing()
  made.hold = { fence: 1 }
  made.weigh(0n)
  made.lose()
  expect([made.hold, made.blocked]).toEqual([undefined, undefined])
})
