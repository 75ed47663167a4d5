import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isErrorCode } from '../errors/is-error-code.js'
import { arbOffer, arbPayment } from '../testing/arbitraries.js'
import { arbHostile, arbMutated } from '../testing/hostile.js'
import { decodeBase64Text, encodeBase64Text } from './base64.js'
import { decodeChallenge, encodeChallenge } from './challenge.js'
import { decodeFacilitatorRequest, decodeSupported, decodeVerdict, encodeFacilitatorRequest } from './facilitator.js'
import { decodeJsonObject } from './json.js'
import { decodePayment, encodePayment } from './payment.js'
import { decodeReceipt, decodeSettlement } from './settlement.js'

const arbRequest = arbOffer.chain((requirements) =>
  arbPayment(requirements).map((payment) => ({ payment, requirements })),
)
const arbMessage = fc.oneof(
  arbHostile,
  arbMutated(arbRequest.map(encodeFacilitatorRequest)),
  arbMutated(
    arbOffer.map((offer) =>
      JSON.parse(encodeChallenge({ accepts: [offer], resource: { url: 'https://a.test' } }).body),
    ),
  ),
  arbMutated(
    arbRequest.map(({ payment }) => JSON.parse(Buffer.from(encodePayment(payment).value, 'base64').toString())),
  ),
  arbMutated(
    fc.constant({
      success: true,
      transaction: '0x1',
      network: 'eip155:1',
      isValid: true,
      payer: '0x',
      kinds: [{}],
      signers: {},
    }),
  ),
)

function isTyped(decoded: unknown): boolean {
  if (decoded === undefined) return true
  const { ok, code } = decoded as { ok: boolean; code: string }
  return ok === true || (ok === false && isErrorCode(code))
}

test('no decoder throws, whatever it is given, and every refusal has a code of the registry', () => {
  const fromText = [
    decodeBase64Text,
    decodeJsonObject,
    (text: string) => decodePayment(() => text),
    (text: string) => decodePayment((name) => (name === 'X-PAYMENT' ? text : null)),
    (text: string) => decodeChallenge(() => text),
    (text: string) => decodeChallenge(() => null, text),
    (text: string) => decodeReceipt(() => text),
  ]
  const fromObject = [decodeFacilitatorRequest, decodeSupported, decodeVerdict, decodeSettlement]
  fc.assert(
    fc.property(arbMessage, fc.string({ unit: 'binary' }), (message, noise) => {
      for (const decode of fromObject) expect(isTyped(decode(message))).toBe(true)
      const json = safeJson(message)
      for (const text of [noise, json, encodeBase64Text(json), encodeBase64Text(noise)]) {
        for (const decode of fromText) expect(isTyped(decode(text))).toBe(true)
      }
    }),
    { numRuns: 500 },
  )
})

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}
