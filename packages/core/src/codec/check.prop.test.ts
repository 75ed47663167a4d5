import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { type Decoded, refuse } from '../model/outcome.js'
import * as shared from '../schema/shared.js'
import * as sharedShapes from '../schema/shared.shapes.js'
import * as v1 from '../schema/v1.js'
import * as v1Shapes from '../schema/v1.shapes.js'
import * as v2 from '../schema/v2.js'
import * as v2Shapes from '../schema/v2.shapes.js'
import { arbHostile, arbMutated } from '../testing/hostile.js'
import { check, type Shape } from './check.js'

const resource = { url: 'https://a.test', description: null, mimeType: '', serviceName: 'a', tags: ['b'], iconUrl: 'c' }
const common = { scheme: 'exact', asset: '0x1', payTo: '0x2', maxTimeoutSeconds: 60, extra: { name: 'USDC' } }
const offers = {
  v1: { ...common, network: 'base', maxAmountRequired: '1', resource: 'a', description: '', outputSchema: null },
  v2: { ...common, network: 'eip155:8453', amount: '1' },
}
const payments = {
  v1: { x402Version: 1, scheme: 'exact', network: 'base', payload: { a: [1] } },
  v2: { x402Version: 2, accepted: offers.v2, payload: { a: [1] }, resource, extensions: { a: {} } },
}
const settled = { success: true, errorReason: null, payer: '0x', transaction: '0x', network: 'base', amount: '1' }
const kind = { x402Version: 2, scheme: 'exact', network: 'eip155:1', extra: {} }

/** A message that uses every member of its type. */
const whole: Record<string, unknown> = {
  'shared.AnyObject': { a: 1 },
  'shared.AtomicAmount': '10',
  'shared.ChallengeEnvelope': { x402Version: 1, error: 'a', accepts: [offers.v2, 1], extensions: {} },
  'shared.NetworkId': 'eip155:1',
  'shared.Seconds': 0.5,
  'shared.Text': 'a',
  'v1.PaymentRequirements': offers.v1,
  'v1.PaymentRequired': { x402Version: 1, error: 'a', accepts: [offers.v1] },
  'v1.PaymentPayload': payments.v1,
  'v1.VerifyRequest': { x402Version: 1, paymentPayload: payments.v1, paymentRequirements: offers.v1 },
  'v1.SettleRequest': { x402Version: 1, paymentPayload: payments.v1, paymentRequirements: offers.v1 },
  'v1.VerifyResponse': { isValid: true, invalidReason: null, payer: '0x' },
  'v1.SettleResponse': settled,
  'v2.ResourceInfo': resource,
  'v2.PaymentRequirements': offers.v2,
  'v2.PaymentRequired': { x402Version: 2, error: 'a', resource, accepts: [offers.v2], extensions: {} },
  'v2.PaymentPayload': payments.v2,
  'v2.VerifyRequest': { x402Version: 2, paymentPayload: payments.v2, paymentRequirements: offers.v2 },
  'v2.SettleRequest': { x402Version: 2, paymentPayload: payments.v2, paymentRequirements: offers.v2 },
  'v2.VerifyResponse': { isValid: false, invalidReason: 'a', invalidMessage: null, payer: '', extra: {} },
  'v2.SettleResponse': { ...settled, success: false, errorMessage: 'a', extensions: null, extra: {} },
  'v2.SupportedKind': kind,
  'v2.SupportedResponse': { kinds: [kind], extensions: ['a'], signers: { 'eip155:*': ['0x'] } },
}

/** Every exported schema beside its shape. */
const pairs = Object.entries({ shared: [shared, sharedShapes], v1: [v1, v1Shapes], v2: [v2, v2Shapes] }).flatMap(
  ([module, [schemas, shapes]]) =>
    Object.entries(schemas as Record<string, unknown>).flatMap(([name, schema]) =>
      typeof schema === 'function'
        ? []
        : [
            {
              name: `${module}.${name}`,
              schema: schema as z.core.$ZodType,
              shape: (shapes as Record<string, Shape>)[name]!,
            },
          ],
    ),
)

test.each(pairs)('$name: its shape decides as the schema does, and names the same field', ({ name, schema, shape }) => {
  expect(z.safeParse(schema, whole[name]).success).toBe(true)
  const arbMutant = arbMutated(fc.constant({ message: whole[name] })).map((wrapped) => Object.values(wrapped)[0])
  fc.assert(
    fc.property(fc.oneof({ weight: 5, arbitrary: arbMutant }, { weight: 1, arbitrary: arbHostile }), (message) => {
      expect(check(shape, message)).toEqual(verdictOf(schema, message))
    }),
    { numRuns: 400 },
  )
})

test('a mutated shape would be found out', () => {
  const { required = [], ...rest } = v2Shapes.PaymentRequirements
  const disagreement = fc.check(
    fc.property(arbMutated(fc.constant(offers.v2)), (message) => {
      const verdict = check({ ...rest, required: required.filter((name) => name !== 'payTo') }, message)
      return verdict.ok === z.safeParse(v2.PaymentRequirements, message).success
    }),
    { numRuns: 1000, seed: 1 },
  )
  expect(disagreement.failed).toBe(true)
})

test('names of members that JavaScript knows are names like any other', () => {
  const message = JSON.parse('{"kinds":[],"signers":{"__proto__":1}}')
  expect(check(v2Shapes.SupportedResponse, message)).toMatchObject({
    detail: 'signers.__proto__ is missing or malformed',
  })
  expect(check(v2Shapes.PaymentPayload, Object.create(payments.v2))).toMatchObject({ ok: true })
})

function verdictOf(schema: z.core.$ZodType, message: unknown): Decoded<unknown> {
  const { success, error } = z.safeParse(schema, message)
  if (success) return { ok: true, value: message }
  const path = error.issues[0]?.path.map(String).join('.') ?? ''
  return refuse(
    'invalid_payload',
    path === '' ? 'not the expected object' : `${path.slice(0, 80)} is missing or malformed`,
  )
}
