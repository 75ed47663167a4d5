import { randomBytes } from 'node:crypto'
import { samplePayment } from './sample.mjs'

/** As many payments for a resource as a load can use up, each with a nonce of its own. The stub does not look at signatures. */
export async function paymentsFor(url, count) {
  const challenge = JSON.parse(Buffer.from((await fetch(url)).headers.get('payment-required'), 'base64').toString())
  const { accepts, resource } = challenge
  const validBefore = String(Math.floor(Date.now() / 1000) + 200)
  return Array.from({ length: count }, () => {
    const authorization = {
      ...samplePayment.payload.authorization,
      validBefore,
      nonce: `0x${randomBytes(32).toString('hex')}`,
    }
    const payment = {
      ...samplePayment,
      resource,
      accepted: accepts[0],
      payload: { ...samplePayment.payload, authorization },
    }
    return { 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64') }
  })
}
