import { expect, test } from 'vitest'
import { isNetwork, network, networkByV1Name, networkFamily, networkReference, v1NameOf, v1Names } from './network.js'

test('a network is named by its CAIP-2 id or its v1 name', () => {
  const base = network('base')
  expect([base, network('eip155:8453'), networkFamily(base), networkReference(base), v1NameOf(base)]).toEqual([
    'eip155:8453',
    'eip155:8453',
    'eip155',
    '8453',
    'base',
  ])
})

test('the names of protocol v1 are those that stand for networks', () => {
  expect(v1Names()).toContain('base-sepolia')
  for (const name of v1Names()) expect(v1NameOf(network(name))).toBe(name)
})

test.each([
  '',
  'eip155',
  'eip155:',
  ':1',
  'EIP155:1',
  'eip155:*',
  'ei:1',
  'eip155:1 ',
  `eip155:${'1'.repeat(33)}`,
  'ethereum-mainnet',
  'constructor',
])('CORE-063 %j names no network', (text) => {
  expect(isNetwork(text)).toBe(false)
  expect(networkByV1Name(text)).toBeUndefined()
  expect(() => network(text)).toThrow('invalid_network')
})

test('every v1 name leads to one network and back', () => {
  for (const name of ['base', 'base-sepolia', 'solana', 'avalanche-fuji', 'skale-base-sepolia']) {
    expect(v1NameOf(network(name))).toBe(name)
  }
})
