import { expect, test } from 'vitest'
import { nobleEngine } from './noble.js'
import { rememberKeys } from './remember-keys.js'

const key = new Uint8Array(32).fill(7)

function counted() {
  let recovered = 0
  const engine = rememberKeys({
    ...nobleEngine,
    recover(digest, signature) {
      recovered += 1
      return nobleEngine.recover(digest, signature)
    },
  })
  return { engine, recovered: () => recovered }
}

test('a key is recovered once for a digest and a signature, and anew for any other pair', () => {
  const { engine, recovered } = counted()
  const digests = [1, 2].map((value) => new Uint8Array(32).fill(value))
  const pairs = digests.map((digest) => [digest, nobleEngine.sign(digest, key)] as const)
  for (const [digest, signature] of [...pairs, ...pairs]) {
    expect(engine.recover(Uint8Array.from(digest), Uint8Array.from(signature))).toEqual(engine.publicKey(key))
  }
  expect(recovered()).toBe(2)
  // The signature of one digest under another is somebody else's, or nobody's.
  expect(engine.recover(digests[0]!, pairs[1]![1])).not.toEqual(engine.publicKey(key))
  expect(recovered()).toBe(3)
})

test('what has recovered to no key is asked anew, whatever its length', () => {
  const { engine, recovered } = counted()
  const digest = new Uint8Array(32).fill(1)
  for (const signature of [new Uint8Array(65), new Uint8Array(64), new Uint8Array(0)]) {
    for (let i = 0; i < 2; i++) expect(engine.recover(digest, signature)).toBeUndefined()
  }
  expect(recovered()).toBe(6)
})

test('it forgets: no more than twice 4,096 are kept', () => {
  let recovered = 0
  const engine = rememberKeys({ ...nobleEngine, recover: () => Uint8Array.of(++recovered) })
  const digest = (at: number) => Uint8Array.from({ length: 32 }, (_, place) => (at >> (8 * place)) & 255)
  for (let at = 0; at < 8_193; at++) engine.recover(digest(at), new Uint8Array(65))
  expect(engine.recover(digest(8_192), new Uint8Array(65))).toEqual(Uint8Array.of(8_193 & 255))
  expect(recovered).toBe(8_193)
  engine.recover(digest(0), new Uint8Array(65))
  expect(recovered).toBe(8_194)
})
