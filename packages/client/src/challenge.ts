import { type Decoded, decodeChallenge, headerNames, type PaymentRequired, refuse } from '@groat/core'
import { readBounded } from './body.js'

/** A challenge, and the header or body that it came in. */
export type ReadChallenge = { readonly challenge: PaymentRequired; readonly terms: string }

/** Most that is read of the body of a 402: 64 KiB. */
export const MAX_CHALLENGE_BYTES = 65_536

/**
 * Reads the challenge of a 402 and leaves its body intact. `undefined` when the answer is no x402 challenge: neither a
 * `PAYMENT-REQUIRED` header nor a v1 body of at most 64 KiB that arrives within `ms`. Refuses `invalid_challenge`.
 */
export async function readChallenge(response: Response, ms: number): Promise<Decoded<ReadChallenge> | undefined> {
  const header = response.headers.get(headerNames[2].required ?? '')
  const body = header ? undefined : await peek(response, ms)
  const decoded = decodeChallenge((name) => response.headers.get(name), body)
  if (decoded === undefined) return undefined
  if (!decoded.ok) return refuse('invalid_challenge', decoded.detail ?? decoded.code)
  return { ok: true, value: { challenge: decoded.value, terms: header || body || '' } }
}

/** Reads what is left of an answer that nobody will see, so that its connection can be used again. */
export function drain(response: Response, ms: number): void {
  if (response.body?.locked === false) void readBounded(response.body, { maxBytes: MAX_CHALLENGE_BYTES, ms })
}

async function peek(response: Response, ms: number): Promise<string | undefined> {
  if (Number(response.headers.get('content-length')) > MAX_CHALLENGE_BYTES) return undefined
  const bytes = await readBounded(response.clone().body, { maxBytes: MAX_CHALLENGE_BYTES, ms })
  return bytes && new TextDecoder().decode(bytes)
}
