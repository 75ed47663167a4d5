const utf8 = new TextEncoder()

// Asked for at run time, so that no bundle for other runtimes has it: a tenth of the time.
const node: typeof import('node:crypto') | undefined = globalThis.process?.getBuiltinModule?.('node:crypto')

/**
 * SHA-256 as lower-case hex, synchronous on every runtime: identity must not cost a dependency or a promise.
 * A string is hashed as its UTF-8 bytes.
 *
 * @example
 * sha256Hex('') // 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
 */
export function sha256Hex(input: string | Uint8Array): string {
  return node === undefined ? portableSha256Hex(input) : node.createHash('sha256').update(input).digest('hex')
}

/** The same where the platform has no hash that answers at once, as in a browser. */
export function portableSha256Hex(input: string | Uint8Array): string {
  const message = typeof input === 'string' ? utf8.encode(input) : input
  const padded = new Uint8Array(((message.length + 8) >> 6) * 64 + 64)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x20000000))
  view.setUint32(padded.length - 4, message.length << 3)

  const state = START.slice()
  for (let offset = 0; offset < padded.length; offset += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(offset + i * 4)
    compress(state, words)
  }
  let hex = ''
  for (let i = 0; i < 8; i++) hex += at(state, i).toString(16).padStart(8, '0')
  return hex
}

// Nothing is awaited while a block is worked on, so every call has them for itself.
const words = new Uint32Array(64)

function compress(state: Uint32Array, w: Uint32Array): void {
  for (let i = 16; i < 64; i++) {
    const w15 = at(w, i - 15)
    const w2 = at(w, i - 2)
    const s0 = rotr(w15, 7) ^ rotr(w15, 18) ^ (w15 >>> 3)
    const s1 = rotr(w2, 17) ^ rotr(w2, 19) ^ (w2 >>> 10)
    w[i] = at(w, i - 16) + s0 + at(w, i - 7) + s1
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(K, i) + at(w, i)) | 0
    const s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  const after = [a, b, c, d, e, f, g, h]
  for (let i = 0; i < 8; i++) state[i] = at(state, i) + (after[i] ?? 0)
}

function rotr(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}

function at(words: Uint32Array, index: number): number {
  return words[index] ?? 0
}

// The constants of FIPS 180-4 (4.2.2, 5.3.3): of the roots of the first primes, the first 32 bits after the point. In whole numbers,
// so that they are the same on every machine.
const PRIMES = firstPrimes(64)
const START = Uint32Array.from(PRIMES.slice(0, 8), (prime) => rootFraction(prime, 2))
const K = Uint32Array.from(PRIMES, (prime) => rootFraction(prime, 3))

function firstPrimes(count: number): readonly number[] {
  const primes: number[] = []
  for (let candidate = 2; primes.length < count; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate)
  }
  return primes
}

function rootFraction(of: number, degree: number): number {
  const n = BigInt(degree)
  const power = BigInt(of) << (32n * n)
  // A guess that may be one off, mended exactly.
  let root = BigInt(Math.floor(of ** (1 / degree) * 2 ** 32))
  while (root ** n > power) root--
  while ((root + 1n) ** n <= power) root++
  return Number(root & 0xffffffffn)
}
