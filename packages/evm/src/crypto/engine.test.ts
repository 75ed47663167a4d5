import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { buildSync } from 'esbuild'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { recoverAddress } from '../address.js'
import { parseHex } from '../hex.js'
import { type CryptoEngine, isCanonicalSignature } from './engine.js'
import { nobleEngine } from './noble.js'
import { loadEngine, loadNativeEngine, loadWasmEngine } from './node.js'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const word = (value: bigint) => parseHex(`0x${value.toString(16).padStart(64, '0')}`)!
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const key = fc.bigInt({ min: 1n, max: ORDER - 1n }).map(word)
const signature = fc
  .tuple(
    fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
    fc.bigInt({ min: 0n, max: ORDER / 2n + 2n }),
    fc.constantFrom(26, 27, 28, 29),
  )
  .map(([r, s, v]) => Uint8Array.of(...word(r), ...word(s), v))

let native: CryptoEngine
let wasm: CryptoEngine
beforeAll(async () => {
  native = (await loadNativeEngine())!
  wasm = (await loadWasmEngine())!
  expect(native?.name).toBe('native')
  expect(wasm?.name).toBe('wasm')
})

describe('the three engines are equal', () => {
  test('on keccak256 of any length', async () => {
    for (const length of [0, 1, 135, 136, 137, 272, 54_399, 54_400, 54_401, 200_000]) {
      const bytes = new Uint8Array(length).map((_, i) => 7 * i + length)
      for (const engine of [native, wasm, nobleEngine]) expect(engine.keccak256(bytes)).toEqual(keccak_256(bytes))
    }
    await fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const expected = keccak_256(bytes)
        for (const engine of [native, wasm, nobleEngine]) expect(engine.keccak256(bytes)).toEqual(expected)
      }),
    )
  })

  test('on signing: the same canonical bytes, from which each recovers the key', async () => {
    await fc.assert(
      fc.property(bytes32, key, (digest, privateKey) => {
        const signed = nobleEngine.sign(digest, privateKey)
        const publicKey = nobleEngine.publicKey(privateKey)
        expect(isCanonicalSignature(signed)).toBe(true)
        for (const engine of [native, wasm]) {
          expect(engine.sign(digest, privateKey)).toEqual(signed)
          expect(engine.publicKey(privateKey)).toEqual(publicKey)
        }
        for (const engine of [native, wasm, nobleEngine]) expect(engine.recover(digest, signed)).toEqual(publicKey)
      }),
      { numRuns: 30 },
    )
  })

  test('on recovery from bytes that nobody signed', async () => {
    await fc.assert(
      fc.property(bytes32, signature, (digest, signed) => {
        const expected = native.recover(digest, signed)
        expect(wasm.recover(digest, signed)).toEqual(expected)
        expect(nobleEngine.recover(digest, signed)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test('on what is not a private key', () => {
    for (const engine of [native, wasm, nobleEngine]) {
      for (const bad of [
        word(0n),
        word(ORDER),
        word(2n ** 256n - 1n),
        new Uint8Array(31),
        new Uint8Array(33).fill(1),
      ]) {
        expect(() => engine.sign(new Uint8Array(32), bad)).toThrow(RangeError)
        expect(() => engine.publicKey(bad)).toThrow(RangeError)
      }
    }
  })
})

test('a malleated twin of a good signature recovers to nobody', () => {
  const digest = keccak_256(Uint8Array.of(1))
  const privateKey = word(7n)
  for (const engine of [native, wasm, nobleEngine]) {
    const good = engine.sign(digest, privateKey)
    const s = BigInt(`0x${Buffer.from(good.subarray(32, 64)).toString('hex')}`)
    const v = good[64]!
    const highS = Uint8Array.of(...good.subarray(0, 32), ...word(ORDER - s), 55 - v)
    const parityV = Uint8Array.of(...good.subarray(0, 64), v - 27)
    const zeroR = Uint8Array.of(...word(0n), ...good.subarray(32))
    const zeroS = Uint8Array.of(...good.subarray(0, 32), ...word(0n), v)
    const largeR = Uint8Array.of(...word(ORDER), ...good.subarray(32))
    for (const twin of [highS, parityV, zeroR, zeroS, largeR, good.subarray(0, 64), Uint8Array.of(...good, 0)]) {
      expect(recoverAddress(engine, digest, twin)).toBeUndefined()
    }
    expect(recoverAddress(engine, digest, good)).toBe('0xd41c057fd1c78805aac12b0a94a405c0461a6fbb')
  }
})

test('Node takes the native engine', async () => {
  expect((await loadEngine()).name).toBe('native')
  expect(loadEngine()).toBe(loadEngine())
})

test('the native engine never stands on the JavaScript fallback of its package', () => {
  const source = buildSync({
    entryPoints: [fileURLToPath(new URL('native.ts', import.meta.url))],
    ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm', write: false },
  }).outputFiles[0]!.text
  // A fresh process: which engine is loaded, and whether the curve in JavaScript came with it.
  const script = `${source}
    import { createRequire } from 'node:module'
    const engine = await loadNativeEngine()
    const require = createRequire(process.cwd() + '/package.json')
    const elliptic = () => Object.keys(require.cache).some((file) => file.includes('/elliptic/lib/'))
    const before = elliptic()
    require('secp256k1')
    console.log(JSON.stringify({ engine: engine?.name ?? null, elliptic: before, entryPoint: elliptic() }))`
  const run = (environment: Record<string, string>) => {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      env: { ...process.env, ...environment },
    })
    return JSON.parse(stdout)
  }
  expect(run({})).toEqual({ engine: 'native', elliptic: false, entryPoint: false })
  // No binary for this machine: the package's entry point carries on with elliptic, the engine is just not there.
  expect(run({ npm_config_arch: 'none' })).toEqual({ engine: null, elliptic: false, entryPoint: true })
})
