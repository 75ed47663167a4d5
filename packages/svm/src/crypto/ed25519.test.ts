import { createPrivateKey, createPublicKey, sign as signByNode } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { buildSync } from 'esbuild'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSigner, verifySignature } from './ed25519.js'

type Engine = Pick<typeof import('./ed25519.js'), 'createSigner' | 'verifySignature'>

/** The same module where there is no Node: what a browser has of it. */
function inBrowser(): Engine {
  const [bundle] = buildSync({
    entryPoints: [fileURLToPath(new URL('./ed25519.ts', import.meta.url))],
    ...{
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'engine',
      write: false,
      conditions: ['source'],
    },
  }).outputFiles
  const window = createContext({ crypto, TextEncoder, Uint8Array, BigInt, Promise, Symbol, Object })
  return runInContext(`${bundle!.text};engine`, window)
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const seedOf = (byte: number) => new Uint8Array(32).fill(byte)

function publicKeyOf(seed: Uint8Array): Uint8Array {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(12))
}

describe.each<[string, Engine]>([
  ['with Node', { createSigner, verifySignature }],
  ['without it', inBrowser()],
])('%s', (_name, engine) => {
  test('what a key signs verifies, and a changed bit does not', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), fc.uint8Array({ maxLength: 64 }), fc.nat(511), async (seed, message, bit) => {
        const [key, signature] = [publicKeyOf(seed), await engine.createSigner(seed)(message)]
        const spoilt = Uint8Array.from(signature)
        spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect([
          await engine.verifySignature(key, signature, message),
          await engine.verifySignature(key, spoilt, message),
          await engine.verifySignature(key, signature, Uint8Array.of(...message, 0)),
          await engine.verifySignature(key, signature.subarray(1), message),
        ]).toEqual([true, false, false, false])
      }),
      { numRuns: 20 },
    )
  })

  test('a signature is what everybody’s is', async () => {
    const message = new TextEncoder().encode('groat')
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seedOf(7)])
    const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    expect(Buffer.from(await engine.createSigner(seedOf(7))(message)).toString('hex')).toBe(
      signByNode(null, message, key).toString('hex'),
    )
  })

  test('SVM-EXACT-025 points of small order, which sign everything, sign nothing here', async () => {
    for (const hex of ['00'.repeat(32), `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`, `00${'00'.repeat(30)}80`]) {
      const point = new Uint8Array(Buffer.from(hex, 'hex'))
      const forged = new Uint8Array(64)
      forged.set(point)
      expect(await engine.verifySignature(point, forged, new Uint8Array([1]))).toBe(false)
      expect(await engine.verifySignature(publicKeyOf(seedOf(1)), forged, new Uint8Array([1]))).toBe(false)
    }
  })

  test('what is no key verifies nothing', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), bytes(64), async (key, signature) => {
        expect(await engine.verifySignature(key, signature, new Uint8Array([1]))).toBe(false)
      }),
      { numRuns: 50 },
    )
  })

  test('a seed has 32 bytes', () => {
    expect(() => engine.createSigner(new Uint8Array(31))).toThrow('32 bytes')
  })
})
