import { type Random, systemRandom } from '../ports.js'

/** What is told, and under which name: the same id however often it is sent. */
export type WebhookMessage = {
  readonly id: string
  /** The body, exactly as it is sent. */
  readonly body: string
}

/** The headers of a signed message. */
export type WebhookHeaders = {
  readonly 'webhook-id': string
  /** Seconds since 1970 at which it was sent. */
  readonly 'webhook-timestamp': string
  /** One or more signatures with a space between: `v1,` and base64. */
  readonly 'webhook-signature': string
}

/**
 * Signs a message as Standard Webhooks has it: HMAC-SHA256 over id, time and body. With several secrets it carries a signature by each, so that
 * a secret can be changed while messages are under way.
 *
 * @example
 * const headers = await signWebhook({ id: 'evt_1', body: '{}' }, ['a secret of 16 and more'], Date.now())
 */
export async function signWebhook(
  { id, body }: WebhookMessage,
  secrets: readonly string[],
  now: number,
): Promise<WebhookHeaders> {
  const timestamp = String(Math.floor(now / 1000))
  const signatures = await Promise.all(secrets.map((secret) => signatureOf(secret, id, timestamp, body)))
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.map((signature) => `v1,${signature}`).join(' '),
  }
}

/**
 * A new secret of 256 random bits, as libraries for Standard Webhooks take it.
 *
 * @example
 * createWebhookSecret() // 'whsec_…'
 */
export function createWebhookSecret(random: Random = systemRandom): string {
  return `whsec_${btoa(String.fromCharCode(...random(32)))}`
}

/**
 * Whether a text is a secret as libraries for Standard Webhooks take it: `whsec_` and base64 of 15 bytes and more.
 *
 * @example
 * isWebhookSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') // true
 */
export function isWebhookSecret(text: string): boolean {
  return SECRET.test(text)
}

/** How a message is checked. */
export type WebhookCheck = {
  readonly secret: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** Seconds by which the clocks may differ and the message be late; 300 unless told. */
  readonly toleranceSeconds?: number
}

/**
 * Tells whether a message was signed with a secret, lately. `header` reads a header by its lower-case name, `body` is the text as it came.
 *
 * @example
 * const isReal = await verifyWebhook((name) => request.headers.get(name), text, { secret, now: Date.now() })
 */
export async function verifyWebhook(
  header: (name: string) => string | null | undefined,
  body: string,
  { secret, now, toleranceSeconds = 300 }: WebhookCheck,
): Promise<boolean> {
  const [id, timestamp, signatures] = [header('webhook-id'), header('webhook-timestamp'), header('webhook-signature')]
  if (!id || !timestamp || !signatures || !/^[0-9]{1,12}$/.test(timestamp)) return false
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceSeconds) return false
  const expected = `v1,${await signatureOf(secret, id, timestamp, body)}`
  return signatures.split(' ').some((given) => isSame(given, expected))
}

async function signatureOf(secret: string, id: string, timestamp: string, body: string): Promise<string> {
  const { subtle } = globalThis.crypto
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await subtle.importKey('raw', bytesOf(secret), algorithm, false, ['sign'])
  const mac = await subtle.sign('HMAC', key, new TextEncoder().encode(`${id}.${timestamp}.${body}`))
  return btoa(String.fromCharCode(...new Uint8Array(mac)))
}

/** What Standard Webhooks writes as `whsec_` and base64 are the bytes of that; any other text is its own bytes. */
function bytesOf(secret: string): Uint8Array<ArrayBuffer> {
  const base64 = SECRET.exec(secret)?.[1]
  if (base64 === undefined) return new TextEncoder().encode(secret)
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

const SECRET = /^whsec_((?:[A-Za-z0-9+/]{4}){5,21}(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=))?)$/

/** Takes as long wherever the texts differ. */
function isSame(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}
