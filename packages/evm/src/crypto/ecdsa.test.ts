import { createHash, createHmac } from 'node:crypto'
import { getPublicKey, hashes, Point, sign } from '@noble/secp256k1'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseHex } from '../hex.js'
import { publicKeyOf, signDigest, timesBase } from './ecdsa.js'
import { loadNativeEngine } from './node.js'

// The library's own signatures need somebody's hashes: here the platform's.
hashes.sha256 = (message) => Uint8Array.from(createHash('sha256').update(message).digest())
hashes.hmacSha256 = (key, message) => Uint8Array.from(createHmac('sha256', key).update(message).digest())

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const word = (value: bigint) => parseHex(`0x${value.toString(16).padStart(64, '0')}`)!
// Halved, they are the edges of the order; and the double of the base point is a special case of the library's.
const edges = [1n, 2n, 3n, 4n, (ORDER - 1n) / 2n, (ORDER + 1n) / 2n, ORDER - 2n, ORDER - 1n]
const scalar = fc.oneof(fc.bigInt({ min: 1n, max: ORDER - 1n }), fc.constantFrom(...edges))
const digest = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  fc.constantFrom(0n, 1n, ORDER - 1n, ORDER, ORDER + 1n, 2n ** 256n - 1n),
)

test('the same bytes are signed, and the same key comes out, as by the library and by libsecp256k1', async () => {
  const native = (await loadNativeEngine())!
  fc.assert(
    fc.property(digest, scalar.map(word), (value, privateKey) => {
      const message = word(value)
      const { compact, recovery } = signDigest(message, privateKey)!
      const whole = sign(message, privateKey, { prehash: false, format: 'recovered' })
      expect(Uint8Array.of(recovery, ...compact)).toEqual(whole)
      // Above the order the two libraries choose other nonces. No digest gets there.
      if (value < ORDER) expect(Uint8Array.of(...compact, 27 + recovery)).toEqual(native.sign(message, privateKey))
      expect(publicKeyOf(privateKey)).toEqual(getPublicKey(privateKey, false))
      expect(publicKeyOf(privateKey).subarray(1)).toEqual(native.publicKey(privateKey))
    }),
    { numRuns: 300 },
  )
})

test('by doubling a scalar gives the point that it gives by tables', () => {
  const same = (k: bigint) => void expect(timesBase(k, true).toAffine()).toEqual(Point.BASE.multiply(k).toAffine())
  edges.forEach(same)
  fc.assert(fc.property(scalar, same), { numRuns: 50 })
})

test('what is no key signs nothing', () => {
  for (const bad of [word(0n), word(ORDER), word(2n ** 256n - 1n), new Uint8Array(31), new Uint8Array(33)]) {
    expect(() => signDigest(word(1n), bad)).toThrow()
    expect(() => publicKeyOf(bad)).toThrow()
  }
})
