const utf8 = new TextEncoder()

/**
 * SHA-256 as lower-case hex, synchronous on every runtime: identity must not cost a dependency or a promise.
 * A string is hashed as its UTF-8 bytes.
 *
 * @example
 * sha256Hex('') // 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
 */
export function sha256Hex(input: string | Uint8Array): string {
  const message = typeof input === 'string' ? utf8.encode(input) : input
  const { length } = message
  const whole = length - (length % 64)
  state.set(START)
  for (let offset = 0; offset < whole; offset += 64) compress(message, offset)
  // What is left, a one, zeros, and the length in bits.
  tail.fill(0)
  tail.set(whole === 0 ? message : message.subarray(whole))
  tail[length - whole] = 0x80
  const end = length - whole < 56 ? 64 : 128
  tailView.setUint32(end - 8, Math.floor(length / 0x20000000))
  tailView.setUint32(end - 4, length << 3)
  for (let offset = 0; offset < end; offset += 64) compress(tail, offset)
  let hex = ''
  for (let i = 0; i < 8; i++) hex += (at(state, i) + 0x100000000).toString(16).slice(1)
  return hex
}

// Nothing is awaited in between, so every call has them for itself.
const state = new Uint32Array(8)
const words = new Int32Array(64)
const tail = new Uint8Array(128)
const tailView = new DataView(tail.buffer)

function compress(bytes: Uint8Array, offset: number): void {
  for (let i = 0, from = offset; i < 16; i++, from += 4) {
    words[i] = (at(bytes, from) << 24) | (at(bytes, from + 1) << 16) | (at(bytes, from + 2) << 8) | at(bytes, from + 3)
  }
  for (let i = 16; i < 64; i++) {
    const w15 = at(words, i - 15)
    const w2 = at(words, i - 2)
    const s0 = rotr(w15, 7) ^ rotr(w15, 18) ^ (w15 >>> 3)
    const s1 = rotr(w2, 17) ^ rotr(w2, 19) ^ (w2 >>> 10)
    words[i] = at(words, i - 16) + s0 + at(words, i - 7) + s1
  }
  let a = at(state, 0) | 0
  let b = at(state, 1) | 0
  let c = at(state, 2) | 0
  let d = at(state, 3) | 0
  let e = at(state, 4) | 0
  let f = at(state, 5) | 0
  let g = at(state, 6) | 0
  let h = at(state, 7) | 0
  for (let i = 0; i < 64; i++) {
    const s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(K, i) + at(words, i)) | 0
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
  add(0, a)
  add(1, b)
  add(2, c)
  add(3, d)
  add(4, e)
  add(5, f)
  add(6, g)
  add(7, h)
}

function add(index: number, word: number): void {
  state[index] = at(state, index) + word
}

function rotr(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}

function at(numbers: Uint8Array | Uint32Array | Int32Array, index: number): number {
  return numbers[index] ?? 0
}

// The constants of FIPS 180-4 (4.2.2, 5.3.3): of the roots of the first primes, the first 32 bits after the point. In whole numbers,
// so that they are the same on every machine.
const PRIMES = firstPrimes(64)
const START = Uint32Array.from(PRIMES.slice(0, 8), (prime) => rootFraction(prime, 2))
const K = Int32Array.from(PRIMES, (prime) => rootFraction(prime, 3))

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
