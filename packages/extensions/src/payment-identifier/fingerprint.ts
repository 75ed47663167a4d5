import { canonicalAddress, canonicalJson, type PaymentRequirements, sha256Hex } from '@groat/core'

/** A request, and what it is paid with, as far as a retry of it has to be the same. */
export type IdentifiedRequest = {
  readonly method: string
  /** As the seller knows it, with its query. */
  readonly url: string
  readonly body: Uint8Array
  readonly payer: string
  readonly requirements: Pick<PaymentRequirements, 'scheme' | 'network' | 'asset' | 'amount' | 'payTo'>
}

/**
 * Names a request by everything that a retry has to repeat, and by nothing that a retry signs anew: SHA-256, in hex, over the canonical JSON (RFC 8785)
 * of method, URL, body hash, scheme, network, asset, amount, payee and payer (EXT-ID-007).
 *
 * @example
 * fingerprintOf({ method: 'POST', url, body, payer, requirements }) // '3b3fccc3…'
 */
export function fingerprintOf({ method, url, body, payer, requirements }: IdentifiedRequest): string {
  const { scheme, network, asset, amount, payTo } = requirements
  const text = canonicalJson({
    method: method.toUpperCase(),
    url,
    bodySha256: sha256Hex(body),
    scheme,
    network,
    asset: canonicalAddress(asset),
    amount: amount.toString(),
    payTo: canonicalAddress(payTo),
    payer: canonicalAddress(payer),
  })
  return sha256Hex(text)
}
