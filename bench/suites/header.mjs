import { decodePayment } from '@groat/core'
import { decodePaymentSignatureHeader } from '@x402/core/http'
import { PaymentPayloadSchema } from '@x402/core/schemas'
import { roundRobin } from '../lib/round-robin.mjs'
import { samplePayment } from '../lib/sample.mjs'
import { printTable } from '../lib/table.mjs'

/** A PAYMENT-SIGNATURE header to a validated payment. Ours also refuses doubled members and bad UTF-8. */
export async function run() {
  const header = Buffer.from(JSON.stringify(samplePayment)).toString('base64')
  const getHeader = (name) => (name === 'PAYMENT-SIGNATURE' ? header : null)
  const official = () => PaymentPayloadSchema.safeParse(decodePaymentSignatureHeader(header))
  const ours = () => decodePayment(getHeader)
  if (!official().success || !ours().ok) throw new Error('the sample header is refused')
  printTable('header to validated payload', await roundRobin({ 'official decode + schema': official, groat: ours }))
}
