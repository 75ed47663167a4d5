import { expect, test } from 'vitest'
import { readable } from './log-line.js'

const WATCHED = { progress: () => {} }

const line = {
  level: 'info',
  time: '2026-01-31T12:00:00.000Z',
  type: undefined,
  pid: '8f3c'.repeat(16),
  network: 'eip155:84532',
  scheme: 'exact',
  payTo: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  resource: 'https://shop.example/weather',
  transaction: `0x${'ab'.repeat(32)}`,
  payer: '5d41402abc4b2a76',
  amount: '1000',
  msg: 'payment_settled',
}

test('a line of the log for people fits on a screen, and says what things are called', () => {
  const said = readable(JSON.stringify(line), WATCHED)
  expect(said).toBe(
    '2026-01-31T12:00:00.000Z payment_settled amount=0.001_USDC network=base-sepolia pid=8f3c8f3c…8f3c scheme=exact resource=/weather transaction=0xababab…abab payer=5d41402abc4b2a76',
  )
})

test('in a file every id is whole', () => {
  const said = readable(JSON.stringify(line), { progress: undefined })
  expect(said).toContain(` pid=${line.pid} `)
  expect(said).toContain(` transaction=${line.transaction} `)
  expect(said).toContain(' resource=/weather ')
})

test('a network is called by its name wherever it stands in the line', () => {
  const error = { code: 'rpc_unreachable', message: 'nobody answers\n  network: eip155:84532' }
  const story = { time: 't', msg: 'fault_story', network: 'eip155:84532', error }
  const said = readable(JSON.stringify(story), WATCHED)
  expect(said).toContain('network=base-sepolia')
  expect(said).toContain('network: base-sepolia"')
  expect(said).not.toContain('eip155')
})

test('what is not known stays as it is written, and a reference whole', () => {
  const fault = { time: 't', level: 'error', msg: 'fault', code: 'rpc_unreachable', reference: '0123456789abcdef' }
  expect(readable(JSON.stringify(fault), WATCHED)).toBe('t fault code=rpc_unreachable reference=0123456789abcdef')
  const other = { time: 't', msg: 'm', amount: '7', network: 'eip155:999999', asset: '0x00', resource: 'here' }
  expect(readable(JSON.stringify(other), WATCHED)).toBe('t m amount=7 network=eip155:999999 resource=here')
})
