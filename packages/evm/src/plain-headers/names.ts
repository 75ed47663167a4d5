/** The name of the dialect in routes. */
export const PLAIN_HEADERS = 'plain-headers'

/** What stands in the `extra` of an offer that was read from plain headers: by it the answer is known to go back the same way. */
export const DIALECT_MARK = 'dialect'

/** The headers, in lower case. */
export const plain = {
  required: 'x-payment-required',
  amount: 'x-payment-amount',
  asset: 'x-payment-asset',
  network: 'x-payment-network',
  recipient: 'x-payment-recipient',
  timeout: 'x-payment-timeout',
  assetName: 'x-payment-asset-name',
  assetVersion: 'x-payment-asset-version',
  resource: 'x-payment-resource',
  audience: 'x-payment-audience',
  accepts: 'x-payment-accepts',
  signature: 'x-payment-signature',
  nonce: 'x-payment-nonce',
  payer: 'x-payment-payer',
  validAfter: 'x-payment-valid-after',
  validBefore: 'x-payment-valid-before',
  hash: 'x-payment-hash',
  error: 'x-payment-error',
  transaction: 'x-payment-transaction',
} as const

/** By what a challenge can be answered: an authorization that is signed, or the hash of a transfer that was made. */
export type PlainAnswer = 'signature' | 'hash'

/** What fits into a header: visible ASCII and inner spaces. */
export const isHeaderText = (text: string): boolean => /^[!-~](?:[ -~]{0,2046}[!-~])?$/.test(text)
