import * as fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { paymentId } from '../model/identity.js'
import { network } from '../model/network.js'
import {
  createWebhookSecret,
  encodeWebhookEvent,
  isWebhookSecret,
  openWebhook,
  signWebhook,
  verifyWebhook,
  type WebhookEvent,
} from './index.js'

const secret = createWebhookSecret()
const event: WebhookEvent = {
  id: 'msg_1',
  type: 'payment.settled',
  at: 1_700_000_000_123,
  pid: paymentId(['a']),
  sequence: 0,
  network: network('base'),
  scheme: 'exact',
  payer: '0x01',
  payTo: '0x02',
  asset: '0x03',
  amount: 2n ** 200n,
  transaction: '0x04',
  logIndex: 7,
}
const body = JSON.stringify(encodeWebhookEvent(event))
const signed = async (text: string, by = [secret], now = Date.now()) =>
  new Headers(await signWebhook({ id: 'msg_1', body: text }, by, now))

test('FAC-107 the reference library takes what we sign, and we take what it signs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), fc.json(), async (id, text) => {
      const now = Date.now()
      const ours = await signWebhook({ id, body: text }, [secret], now)
      expect(new Webhook(secret).verify(text, ours)).toEqual(JSON.parse(text))
      expect(new Webhook(secret).sign(id, new Date(now), text)).toBe(ours['webhook-signature'])
      expect(await verifyWebhook((name) => new Headers(ours).get(name), text, { secret, now })).toBe(true)
    }),
    { numRuns: 30 },
  )
})

test('an event comes out as it went in', async () => {
  expect(await openWebhook(await signed(body), body, { secrets: [secret] })).toEqual({ ok: true, event })
})

test('FAC-107 what others signed, or long ago, or another body, is not opened', async () => {
  const invalid = { ok: false, code: 'webhook_signature_invalid' }
  const headers = await signed(body)
  expect(await openWebhook(headers, `${body} `, { secrets: [secret] })).toEqual(invalid)
  expect(await openWebhook(headers, body, { secrets: [createWebhookSecret()] })).toEqual(invalid)
  expect(await openWebhook(headers, body, { secrets: [] })).toEqual(invalid)
  expect(await openWebhook(new Headers(), body, { secrets: [secret] })).toEqual(invalid)
  const later = (seconds: number) => ({ secrets: [secret], clock: () => Date.now() + seconds * 1000 })
  expect(await openWebhook(headers, body, later(-320))).toEqual(invalid)
  expect(await openWebhook(headers, body, later(320))).toEqual(invalid)
  expect(await openWebhook(headers, body, { ...later(320), tolerance: 3600 })).toEqual({ ok: true, event })
})

test('while a secret is being changed, each side may be first', async () => {
  const next = createWebhookSecret()
  const both = await signed(body, [secret, next])
  for (const secrets of [[secret], [next], [next, secret]]) {
    expect(await openWebhook(both, body, { secrets })).toEqual({ ok: true, event })
  }
})

test('what is signed and not understood is refused by name', async () => {
  const whole = encodeWebhookEvent(event)
  for (const text of [
    'no json',
    '[]',
    JSON.stringify({ ...whole, type: 'payment.eaten' }),
    JSON.stringify({ ...whole, timestamp: 'soon' }),
    JSON.stringify({ ...whole, data: { ...Object(whole.data), amount: '1e3' } }),
  ]) {
    expect(await openWebhook(await signed(text), text, { secrets: [secret] })).toMatchObject({
      code: 'invalid_payload',
    })
  }
})

test('a secret is whsec_ and enough bytes', () => {
  expect([createWebhookSecret(), 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'].map(isWebhookSecret)).toEqual([true, true])
  const wrong = ['', 'whsec_', 'whsec_AAAA', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_!!!!']
  expect(wrong.map(isWebhookSecret)).toEqual(wrong.map(() => false))
})
