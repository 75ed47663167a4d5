import {
  type Decoded,
  decodeChallenge,
  headerNames,
  type PaymentRequired,
  readBounded,
  refuse,
  sha256Hex,
} from '@groat/core'

/** A challenge, the header or body that it came in, and the SHA-256 of that. */
export type ReadChallenge = { readonly challenge: PaymentRequired; readonly terms: string; readonly digest: string }

/** Reads challenges: `readChallenge`, or one that remembers. */
export type ChallengeReader = typeof readChallenge

/** Most that is read of the body of a 402: 64 KiB. */
export const MAX_CHALLENGE_BYTES = 65_536

/**
 * Reads the challenge of a 402 and leaves its body intact. `undefined` when the answer is no x402 challenge: neither a
 * `PAYMENT-REQUIRED` header nor a v1 body of at most 64 KiB that arrives within `ms`. Refuses `invalid_challenge`.
 */
export async function readChallenge(response: Response, ms: number): Promise<Decoded<ReadChallenge> | undefined> {
  const header = headerOf(response)
  const body = header ? undefined : await peek(response, ms)
  const decoded = decodeChallenge((name) => response.headers.get(name), body)
  if (decoded === undefined) return undefined
  if (!decoded.ok) return refuse('invalid_challenge', decoded.detail ?? decoded.code)
  const terms = header || body || ''
  return { ok: true, value: { challenge: decoded.value, terms, digest: sha256Hex(terms) } }
}

/** A reader that decodes a header once while it keeps coming: most routes ask for the same all day. */
export function createChallengeReader(): ChallengeReader {
  const known = new Map<string, Decoded<ReadChallenge>>()
  return async (response, ms) => {
    const header = headerOf(response) ?? ''
    const before = known.get(header)
    if (before !== undefined) return before
    const read = await readChallenge(response, ms)
    if (read?.ok && header !== '') {
      for (const oldest of known.keys()) if (known.size >= MAX_KNOWN) known.delete(oldest)
      known.set(header, read)
    }
    return read
  }
}

const MAX_KNOWN = 64

const headerOf = ({ headers }: Response) => headers.get(headerNames[2].required ?? '')

/** Reads what is left of an answer that nobody will see, so that its connection can be used again. */
export function drain(response: Response, ms: number): void {
  if (response.body?.locked !== false) return
  readBounded(response.body, { maxBytes: MAX_CHALLENGE_BYTES, ms }).catch(() => {})
}

async function peek(response: Response, ms: number): Promise<string | undefined> {
  if (Number(response.headers.get('content-length')) > MAX_CHALLENGE_BYTES) return undefined
  const limits = { maxBytes: MAX_CHALLENGE_BYTES, ms }
  const bytes = await readBounded(response.clone().body, limits).catch(() => undefined)
  return bytes && new TextDecoder().decode(bytes)
}
