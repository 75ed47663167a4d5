import { type Random, sha256Hex, systemRandom } from '@groat/core'

/** A new key: the text goes to its holder, the hash into the configuration. */
export type NewApiKey = { readonly key: string; readonly hash: string }

/**
 * Makes an API key of 256 random bits. Only its hash is ever kept; who has lost the key gets another.
 *
 * @example
 * const { key, hash } = createApiKey() // groat_k3J…, sha256:9f86…
 */
export function createApiKey(random: Random = systemRandom): NewApiKey {
  const key = `groat_${Buffer.from(random(32)).toString('base64url')}`
  return { key, hash: hashApiKey(key) }
}

/**
 * The form in which keys are kept. A key is random to its last bit, so one round of SHA-256 cannot be undone by guessing, and looking the
 * hash up tells nothing by the time it takes.
 *
 * @example
 * hashApiKey('groat_…') // 'sha256:…'
 */
export function hashApiKey(key: string): string {
  return `sha256:${sha256Hex(key)}`
}

/**
 * Whether a text is the hash of a key.
 *
 * @example
 * isApiKeyHash('sha256:9f86…')
 */
export function isApiKeyHash(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}

/** The key in an `Authorization: Bearer` header. */
export function bearerOf(header: string | null | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,200})$/i.exec(header ?? '')?.[1]
}
