import { type Json, type JsonObject, network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import { arbObject } from '@groat/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { offerOf, PAYER, PAYER_KEY, pay } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { inspectExact } from './shared.js'

const NOW = 1_750_000_000_000
const SECONDS = 1_750_000_000
const offer = offerOf()
const payment = await pay(offer, privateKeyAccount(PAYER_KEY), { now: NOW })
const authorization = payment.payload.authorization as JsonObject
const inspect = (changed: PaymentPayload, terms = offer, minRemainingSeconds = 0) =>
  inspectExact(changed, terms, { now: NOW, minRemainingSeconds })
const withPayload = (changes: JsonObject) => ({ ...payment, payload: { ...payment.payload, ...changes } })
const withAuthorization = (changes: JsonObject) => withPayload({ authorization: { ...authorization, ...changes } })
const codeOf = (inspection: ReturnType<typeof inspect>) => (inspection.ok ? 'ok' : inspection.code)

test('CORE-070 EVM-EXACT-068 a good payment has the identity of its nonce, however it is spelled', () => {
  const good = inspect(payment)
  expect(good).toEqual({
    ok: true,
    pid: expect.stringMatching(/^[0-9a-f]{64}$/),
    payer: PAYER,
    expiresAt: SECONDS + 60,
  })
  const shout = (text: Json | undefined) => `0x${String(text).slice(2).toUpperCase()}`
  const { from, to, nonce } = authorization
  const spelled = withAuthorization({ from: shout(from), to: shout(to), nonce: shout(nonce) })
  expect(inspect({ ...spelled, payload: { ...spelled.payload, signature: shout(payment.payload.signature) } })).toEqual(
    good,
  )
  expect(inspect(payment, { ...offer, payTo: offer.payTo.toLowerCase(), asset: offer.asset.toLowerCase() })).toEqual(
    good,
  )
})

test('members that nobody knows change nothing', async () => {
  await fc.assert(
    fc.property(arbObject, arbObject, (inPayload, inAuthorization) => {
      const changed = {
        ...payment,
        payload: { ...inPayload, ...payment.payload, authorization: { ...inAuthorization, ...authorization } },
      }
      fc.pre(!('permit2Authorization' in inPayload))
      expect(inspect(changed)).toEqual(inspect(payment))
    }),
  )
})

test('version 1 has no echo; everything else is the same (EVM-EXACT-081)', () => {
  const { accepted: _, ...older } = payment
  expect(inspect({ ...older, x402Version: 1 })).toEqual(inspect(payment))
})

const otherAddress = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'
const without = (object: JsonObject, key: string) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))
const echo = (changes: Partial<PaymentRequirements>) => ({ ...payment, accepted: { ...offer, ...changes } })
const late = (seconds: number) => String(SECONDS + seconds)

test.each<[string, PaymentPayload, PaymentRequirements, string]>([
  ['EVM-EXACT-030 another scheme', { ...payment, scheme: 'upto' }, offer, 'invalid_exact_evm_scheme'],
  ['EVM-EXACT-030 an echo of another scheme', echo({ scheme: 'upto' }), offer, 'invalid_exact_evm_scheme'],
  ['EVM-EXACT-030 terms of another scheme', payment, { ...offer, scheme: 'upto' }, 'invalid_exact_evm_scheme'],
  [
    'EVM-EXACT-051 terms of another method',
    payment,
    { ...offer, extra: { ...offer.extra, assetTransferMethod: 'permit2' } },
    'unsupported_transfer_method',
  ],
  [
    'EVM-EXACT-051 an unknown method',
    payment,
    { ...offer, extra: { ...offer.extra, assetTransferMethod: 'erc7710' } },
    'unsupported_transfer_method',
  ],
  [
    'EVM-EXACT-051 a payload of another method',
    withPayload({ permit2Authorization: {} }),
    offer,
    'unsupported_transfer_method',
  ],
  ['EVM-EXACT-032 no name', payment, { ...offer, extra: { version: '2' } }, 'invalid_exact_evm_missing_eip712_domain'],
  [
    'EVM-EXACT-032 an empty version',
    payment,
    { ...offer, extra: { name: 'USDC', version: '' } },
    'invalid_exact_evm_missing_eip712_domain',
  ],
  [
    'EVM-EXACT-031 an echo of another network',
    echo({ network: network('base') }),
    offer,
    'invalid_exact_evm_network_mismatch',
  ],
  [
    'EVM-EXACT-083 another network',
    { ...payment, network: network('base') },
    offer,
    'invalid_exact_evm_network_mismatch',
  ],
  [
    'a network that is no EVM chain',
    { ...echo({ network: network('solana') }), network: network('solana') },
    { ...offer, network: network('solana') },
    'invalid_network',
  ],
  ['terms without a token', payment, { ...offer, asset: 'USDC' }, 'invalid_payment_requirements'],
  ['EVM-EXACT-076 terms for nothing', payment, { ...offer, amount: 0n }, 'invalid_payment_requirements'],
  ['terms without a recipient', payment, { ...offer, payTo: 'me' }, 'invalid_payment_requirements'],
  ['an echo of another amount', echo({ amount: 1n }), offer, 'no_matching_requirements'],
  ['an echo of another recipient', echo({ payTo: otherAddress }), offer, 'no_matching_requirements'],
  ['an echo of another token', echo({ asset: otherAddress }), offer, 'no_matching_requirements'],
  ['EVM-EXACT-033 no payload', { ...payment, payload: {} }, offer, 'invalid_payload'],
  [
    'EVM-EXACT-033 no signature',
    { ...payment, payload: without(payment.payload, 'signature') },
    offer,
    'invalid_payload',
  ],
  ['EVM-EXACT-033 a nonce of 31 bytes', withAuthorization({ nonce: `0x${'11'.repeat(31)}` }), offer, 'invalid_payload'],
  ['EVM-EXACT-017 a value in hexadecimal', withAuthorization({ value: '0x3e8' }), offer, 'invalid_payload'],
  ['EVM-EXACT-017 an empty value', withAuthorization({ value: '' }), offer, 'invalid_payload'],
  ['EVM-EXACT-017 a padded value', withAuthorization({ value: ' 1000 ' }), offer, 'invalid_payload'],
  ['EVM-EXACT-017 a value with zeros before it', withAuthorization({ value: '01000' }), offer, 'invalid_payload'],
  ['EVM-EXACT-017 a value that is a number', withAuthorization({ value: 1000 }), offer, 'invalid_payload'],
  ['EVM-EXACT-017 a value of 2^256', withAuthorization({ value: (2n ** 256n).toString() }), offer, 'invalid_payload'],
  [
    'EVM-EXACT-034 a signature that is not hex',
    withPayload({ signature: '0xzz' }),
    offer,
    'invalid_exact_evm_failed_to_parse_signature',
  ],
  [
    'EVM-EXACT-034 an odd number of digits',
    withPayload({ signature: '0x123' }),
    offer,
    'invalid_exact_evm_failed_to_parse_signature',
  ],
  [
    'EVM-EXACT-034 a signature of 200 kB',
    withPayload({ signature: `0x${'00'.repeat(200_000)}` }),
    offer,
    'invalid_exact_evm_failed_to_parse_signature',
  ],
  [
    'EVM-EXACT-041 another recipient',
    withAuthorization({ to: otherAddress }),
    offer,
    'invalid_exact_evm_recipient_mismatch',
  ],
  [
    'EVM-EXACT-042 a smaller value',
    withAuthorization({ value: '999' }),
    offer,
    'invalid_exact_evm_payload_authorization_value_mismatch',
  ],
  [
    'EVM-EXACT-042 a larger value',
    withAuthorization({ value: '1001' }),
    offer,
    'invalid_exact_evm_payload_authorization_value_mismatch',
  ],
  [
    'EVM-EXACT-043 five seconds left',
    withAuthorization({ validBefore: late(5) }),
    offer,
    'invalid_exact_evm_payload_authorization_valid_before',
  ],
  ['EVM-EXACT-043 six seconds left', withAuthorization({ validBefore: late(6) }), offer, 'ok'],
  [
    'EVM-EXACT-044 valid in a second',
    withAuthorization({ validAfter: late(1) }),
    offer,
    'invalid_exact_evm_payload_authorization_valid_after',
  ],
  ['EVM-EXACT-044 valid from this second on', withAuthorization({ validAfter: late(0) }), offer, 'ok'],
  ['EVM-EXACT-045 longest, with the allowance', withAuthorization({ validBefore: late(120) }), offer, 'ok'],
  [
    'EVM-EXACT-045 a second longer',
    withAuthorization({ validBefore: late(121) }),
    offer,
    'invalid_exact_evm_authorization_lifetime',
  ],
  [
    'EVM-EXACT-045 a time with flags in it',
    withAuthorization({ validBefore: (2n ** 40n).toString() }),
    { ...offer, maxTimeoutSeconds: 1e15 },
    'invalid_exact_evm_authorization_lifetime',
  ],
])('%s', (_name, changed, terms, code) => {
  expect(codeOf(inspect(changed, terms))).toBe(code)
})

test.each([
  ['amount', { amount: 1n }],
  ['payTo', { payTo: otherAddress }],
  ['asset', { asset: otherAddress }],
] as const)('an echo of another %s is told by its name', (field, changed) => {
  expect(inspect(echo(changed), offer)).toMatchObject({ detail: `${field} is not what was accepted` })
})

test('a seller may ask for more time to remain', () => {
  expect(codeOf(inspect(payment, offer, 60))).toBe('ok')
  expect(codeOf(inspect(payment, offer, 60.5))).toBe('invalid_exact_evm_payload_authorization_valid_before')
})

test('whatever the payload is, the answer is a verdict', async () => {
  const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(...Object.values(authorization)))
  const part = fc.constantFrom(...Object.keys(authorization), 'signature')
  await fc.assert(
    fc.property(part, anything, (name, value) => {
      // JSON values are what JSON.parse gives.
      const changes = { [name]: value as Json }
      expect(codeOf(inspect(name === 'signature' ? withPayload(changes) : withAuthorization(changes)))).toMatch(
        /^(ok|invalid_)/,
      )
    }),
    { numRuns: 500 },
  )
  await fc.assert(
    fc.property(arbObject, (payload) => {
      expect(codeOf(inspect({ ...payment, payload }))).toMatch(/^(invalid_payload|unsupported_transfer_method)$/)
    }),
  )
})
