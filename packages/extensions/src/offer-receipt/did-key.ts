import type { JsonObject } from '@groat/core'
import { decodeBase58 } from '@groat/svm/wire'

/**
 * The key that a `did:key` is: Ed25519, secp256k1 or P-256, as a JWK. It says whose key it is to nobody: its right to speak for a URL is another question (EXT-OFFER-012).
 * `undefined` for what is none of them, and for a point that is not on its curve.
 *
 * @example
 * jwkOfDidKey('did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd')?.crv // 'Ed25519'
 */
export function jwkOfDidKey(did: string): JsonObject | undefined {
  const [, text] = /^did:key:z([1-9A-HJ-NP-Za-km-z]{40,60})$/.exec(did) ?? []
  const bytes = text === undefined ? undefined : decodeBase58(text)
  if (bytes === undefined) return undefined
  const [first, second] = bytes
  const key = bytes.subarray(2)
  if (first === 0xed && second === 0x01 && key.length === 32) return { kty: 'OKP', crv: 'Ed25519', x: base64Url(key) }
  if (key.length !== 33) return undefined
  if (first === 0xe7 && second === 0x01) return pointOf(key, SECP256K1)
  return first === 0x80 && second === 0x24 ? pointOf(key, P256) : undefined
}

/** Whether two JWKs are one public key. */
export function isSameKey(a: JsonObject, b: JsonObject): boolean {
  return MEMBERS.every((name) => a[name] === b[name])
}

/** What of a JWK is the public key, and nothing else of it. */
export function publicPart(jwk: JsonObject): JsonObject {
  return Object.fromEntries(MEMBERS.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]])))
}

const MEMBERS = ['kty', 'crv', 'x', 'y'] as const

type Curve = { readonly crv: string; readonly p: bigint; readonly a: bigint; readonly b: bigint }

const SECP256K1: Curve = { crv: 'secp256k1', p: 2n ** 256n - 2n ** 32n - 977n, a: 0n, b: 7n }
const P256: Curve = {
  crv: 'P-256',
  p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
  a: -3n,
  b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
}

/** The point of a compressed key. Both primes are 3 modulo 4, so that a root is a power. */
function pointOf(key: Uint8Array, { crv, p, a, b }: Curve): JsonObject | undefined {
  const x = numberOf(key.subarray(1))
  if ((key[0] !== 2 && key[0] !== 3) || x >= p) return undefined
  const square = ((((x * x + a) * x + b) % p) + p) % p
  const root = power(square, (p + 1n) / 4n, p)
  if ((root * root) % p !== square) return undefined
  const y = (root & 1n) === BigInt(key[0] & 1) ? root : p - root
  return { kty: 'EC', crv, x: base64Url(key.subarray(1)), y: base64Url(bytesOf(y)) }
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base]
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

const numberOf = (bytes: Uint8Array): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)

const bytesOf = (number: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((number >> BigInt(8 * (31 - i))) & 255n))

const base64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '')
