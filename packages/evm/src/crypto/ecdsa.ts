import { sha256Hex } from '@groat/core'
import { etc, Point } from '@noble/secp256k1'
import { writeHex } from '../hex.js'

/**
 * Signs a 32-byte digest: deterministic (RFC 6979), low s, the same bytes as every other engine. `undefined` where no nonce serves, which is not to be
 * expected. Throws where the key is none. The curve is the library's; its own `sign` cannot do without the tables.
 *
 * @example
 * const { compact, recovery } = signDigest(digest, privateKey)
 */
export function signDigest(
  digest: Uint8Array,
  privateKey: Uint8Array,
): { readonly compact: Uint8Array; readonly recovery: number } | undefined {
  const d = etc.secretKeyToScalar(privateKey)
  const z = modN(etc.bytesToNumberBE(digest))
  for (const nonce of nonces(join(etc.numberToBytesBE(d), etc.numberToBytesBE(z)))) {
    const k = etc.bytesToNumberBE(nonce)
    if (k === 0n || k >= N) continue
    const { x, y } = timesBase(k).toAffine()
    const r = modN(x)
    const s = modN(etc.invert(k, N) * modN(z + r * d))
    if (r === 0n || s === 0n) continue
    const isHigh = s > N >> 1n
    const compact = join(etc.numberToBytesBE(r), etc.numberToBytesBE(isHigh ? N - s : s))
    return { compact, recovery: (x === r ? 0 : 2) | (Number(y & 1n) ^ Number(isHigh)) }
  }
  return undefined
}

/** The uncompressed public key, 65 bytes. Throws where the key is none. */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  return timesBase(etc.secretKeyToScalar(privateKey)).toBytes(false)
}

const N = Point.CURVE().n
const modN = (n: bigint) => etc.mod(n, N)

/** So often the base point is multiplied without the library's tables: they take as long to make as all of these together. */
const EARLY = 8
let early = 0

/**
 * A multiple of the base point. The library multiplies that one by tables and every other point by doubling, as many steps for every scalar: so half as
 * often the double of it, as long as that is sooner.
 */
export function timesBase(scalar: bigint, byDoubling = early++ < EARLY): Point {
  return byDoubling ? Point.BASE.double().multiply(modN(scalar * ((N + 1n) / 2n))) : Point.BASE.multiply(scalar)
}

/** The nonces of RFC 6979 3.2, one after the other. */
function* nonces(seed: Uint8Array): Generator<Uint8Array> {
  let v: Uint8Array = new Uint8Array(32).fill(1)
  let key: Uint8Array = new Uint8Array(32)
  const turn = (...more: readonly Uint8Array[]) => {
    key = hmacSha256(key, join(v, ...more))
    v = hmacSha256(key, v)
  }
  turn(Uint8Array.of(0), seed)
  turn(Uint8Array.of(1), seed)
  for (let tries = 0; tries < 1000; tries++) {
    v = hmacSha256(key, v)
    yield v
    turn(Uint8Array.of(0))
  }
}

/** For keys of at most a block. */
function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  const pad = (byte: number) => {
    const block = new Uint8Array(64).fill(byte)
    key.forEach((k, i) => {
      block[i] = byte ^ k
    })
    return block
  }
  return sha256(join(pad(0x5c), sha256(join(pad(0x36), message))))
}

function sha256(message: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32)
  writeHex(`0x${sha256Hex(message)}`, digest, 0, 32)
  return digest
}

const join = etc.concatBytes
