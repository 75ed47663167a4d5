import type { KeyObject } from 'node:crypto'
import { signAsync, verifyAsync } from '@noble/ed25519'
import type { Key } from '../wire/address.js'
import { joinBytes, sameBytes } from '../wire/bytes.js'
import { createCache } from '../wire/cache.js'

/**
 * Tells whether a key signed a message, as strictly as the runtime: a signature that verifies here verifies on chain. Node's own
 * cryptography where there is one, else the platform's, else JavaScript.
 *
 * @example
 * await verifySignature(key, signature, message)
 */
export async function verifySignature(key: Key, signature: Uint8Array, message: Uint8Array): Promise<boolean> {
  if (signature.length !== 64 || isSmallOrder(key) || isSmallOrder(signature.subarray(0, 32))) return false
  if (node) return verifyByNode(node, key, signature, message)
  return verifyAsync(signature, message, key, { zip215: false }).catch(() => false)
}

/**
 * Makes the function that signs with a seed of 32 bytes. The seed is copied.
 *
 * @example
 * const sign = createSigner(seed)
 * await sign(message) // 64 bytes
 */
export function createSigner(seed: Uint8Array): (message: Uint8Array) => Promise<Uint8Array> {
  if (seed.length !== 32) throw new RangeError('a seed has 32 bytes')
  if (node) {
    const { sign } = node
    const key = privateKeyOf(node, seed)
    return async (message) => new Uint8Array(sign(null, message, key))
  }
  const copy = Uint8Array.from(seed)
  return (message) => signAsync(message, copy)
}

/**
 * Whether a seed is that of a public key. Where there is no Node the answer is yes: a signature would show it.
 *
 * @example
 * belongsTo(seed, key)
 */
export function belongsTo(seed: Uint8Array, key: Key): boolean {
  if (!node) return true
  const own = node.createPublicKey(privateKeyOf(node, seed)).export({ format: 'der', type: 'spki' })
  return sameBytes(own.subarray(SPKI.length), key)
}

/** Where there is one, it is the fastest by far; asked for at run time, so that no bundler looks for it. */
const node: typeof import('node:crypto') | undefined = globalThis.process?.getBuiltinModule?.('node:crypto')

/** What stands before 32 bytes in the two standard encodings of Ed25519 keys. */
const PKCS8 = Uint8Array.from([0x30, 46, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 34, 4, 32])
const SPKI = Uint8Array.from([0x30, 42, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 33, 0])

const keys = createCache<KeyObject | null>(1_000)

function privateKeyOf({ createPrivateKey }: typeof import('node:crypto'), seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(joinBytes(PKCS8, seed)), format: 'der', type: 'pkcs8' })
}

function verifyByNode(
  { createPublicKey, verify }: typeof import('node:crypto'),
  key: Key,
  signature: Uint8Array,
  message: Uint8Array,
): boolean {
  const object = keys(String.fromCharCode(...key), () => {
    try {
      return createPublicKey({ key: Buffer.from(joinBytes(SPKI, key)), format: 'der', type: 'spki' })
    } catch {
      return null
    }
  })
  return object !== null && verify(null, message, object, signature)
}

/**
 * A point of small order verifies signatures that nobody made. The runtime refuses it as key and as part of a signature; Node does not.
 * The list has every encoding, with the sign bit left out.
 */
function isSmallOrder(point: Uint8Array): boolean {
  const [first = 0] = point
  return SMALL_ORDER.some((bad) => {
    if (bad[0] !== first || ((bad[31] ?? 0) ^ (point[31] ?? 0)) & 0x7f) return false
    return sameBytes(bad.subarray(1, 31), point.subarray(1, 31))
  })
}

const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
