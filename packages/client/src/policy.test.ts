import { expect, test } from 'vitest'
import { parsePolicy } from './policy.js'

test('what is not said protects', () => {
  const { rules, ...rest } = parsePolicy()
  expect(rest).toEqual({
    perPayment: { units: 10n, decimals: 2 },
    origins: undefined,
    recipients: undefined,
    networks: undefined,
    schemes: undefined,
    maxLifetimeSeconds: 600,
    allowance: 'exact',
    maxAllowance: undefined,
    versions: [2],
    resource: 'path',
  })
  expect(rules.map(({ name }) => name)).toEqual([
    'https',
    'redirect',
    'origins',
    'versions',
    'resource',
    'schemes',
    'networks',
    'payment-flow',
    'assets',
    'recipients',
    'perPayment',
  ])
})

test('origins and networks are brought to one spelling', () => {
  const { origins, networks } = parsePolicy({
    origins: ['https://API.example:443/any/path', 'https://api.example.', 'https://b.example.:8443/'],
    networks: ['base', 'eip155:84532'],
  })
  expect([[...(origins ?? [])], networks]).toEqual([
    ['https://api.example', 'https://b.example:8443'],
    ['eip155:8453', 'eip155:84532'],
  ])
})

test.each([
  [{ perPayment: 'a lot' }, 'invalid_price'],
  [{ perPayment: '1e3' }, 'invalid_price'],
  [{ perPayment: '-1' }, 'invalid_price'],
  [{ perPayment: '5 EURC' }, 'invalid_config'],
  [{ origins: ['api.example'] }, 'invalid_config'],
  [{ origins: ['data:x'] }, 'invalid_config'],
  [{ networks: ['bass'] }, 'invalid_network'],
  [{ maxLifetimeSeconds: 0 }, 'invalid_config'],
  [{ maxLifetimeSeconds: Number.NaN }, 'invalid_config'],
  [{ versions: [3 as 2] }, 'invalid_config'],
  [{ allowance: 'everything' }, 'invalid_price'],
  [{ allowance: '5 EURC' }, 'invalid_config'],
])('%j is refused at start', (policy, code) => {
  expect(() => parsePolicy(policy)).toThrow(expect.objectContaining({ code }))
})
