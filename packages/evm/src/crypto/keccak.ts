/** Bytes that one permutation takes in. */
export const RATE = 136

/** Rounds of one permutation. */
export const ROUNDS = 24

/** A permutation with its memory: a state of 200 bytes, an input of some whole blocks, and what xors blocks into the state. */
export type Sponge = {
  readonly state: Uint8Array
  readonly input: Uint8Array
  absorb(blocks: number): void
}

/**
 * Keccak-256 (the one before SHA-3's padding) over a sponge. Not re-entrant, and need not be: it is synchronous.
 *
 * @example
 * keccakOf(sponge)(new Uint8Array()) // 0xc5d246…a470
 */
export function keccakOf({ state, input, absorb }: Sponge): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    state.fill(0)
    let at = 0
    for (; bytes.length - at >= input.length; at += input.length) {
      input.set(bytes.subarray(at, at + input.length))
      absorb(input.length / RATE)
    }
    const rest = bytes.length - at
    const blocks = Math.floor(rest / RATE) + 1
    const end = blocks * RATE
    input.set(at === 0 ? bytes : bytes.subarray(at))
    input.fill(0, rest, end)
    input[rest] = 0x01
    input[end - 1] = (input[end - 1] ?? 0) | 0x80
    absorb(blocks)
    return state.slice(0, 32)
  }
}

/** Iota's constants, from their shift register (FIPS 202, algorithm 5). */
export function roundConstants(): readonly bigint[] {
  let register = 1
  const bit = () => {
    const out = register & 1
    register <<= 1
    if (register & 0x100) register ^= 0x171
    return out
  }
  return Array.from({ length: ROUNDS }, () => {
    let constant = 0n
    for (let j = 0; j < 7; j++) if (bit()) constant |= 1n << BigInt(2 ** j - 1)
    return constant
  })
}

/** Rho and pi together move the lanes along one cycle: step t takes the lane at `from` to `to`, rotated left by `by`. */
export function laneMoves(): readonly { readonly from: number; readonly to: number; readonly by: number }[] {
  let [x, y] = [1, 0]
  return Array.from({ length: ROUNDS }, (_, t) => {
    const from = x + 5 * y
    ;[x, y] = [y, (2 * x + 3 * y) % 5]
    return { from, to: x + 5 * y, by: (((t + 1) * (t + 2)) / 2) % 64 }
  })
}

/**
 * Keccak-256 in JavaScript: lanes as pairs of 32-bit halves, nothing allocated but the digest.
 *
 * @example
 * keccak256(new Uint8Array()) // 0xc5d246…a470
 */
export const keccak256: (bytes: Uint8Array) => Uint8Array = keccakOf(scriptSponge())

function scriptSponge(): Sponge {
  const state = new Uint8Array(200)
  const input = new Uint8Array(8 * RATE)
  const stateView = new DataView(state.buffer)
  const inputView = new DataView(input.buffer)
  // Two words to a lane, the low one first.
  const lanes = new Int32Array(50)
  const columns = new Int32Array(20)
  const constants = Int32Array.from(roundConstants().flatMap((c) => [Number(c & 0xffffffffn), Number(c >> 32n)]))
  const moves = laneMoves()
  const targets = Uint8Array.from(moves, ({ to }) => 2 * to)
  const shifts = Uint8Array.from(moves, ({ by }) => by)

  const permute = () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 10; i++) {
        const parity = at(lanes, i) ^ at(lanes, i + 10) ^ at(lanes, i + 20) ^ at(lanes, i + 30) ^ at(lanes, i + 40)
        columns[i] = parity
        columns[i + 10] = parity
      }
      for (let x = 0; x < 10; x += 2) {
        const low = at(columns, x + 8) ^ (at(columns, x + 2) << 1) ^ (at(columns, x + 3) >>> 31)
        const high = at(columns, x + 9) ^ (at(columns, x + 3) << 1) ^ (at(columns, x + 2) >>> 31)
        for (let i = x; i < 50; i += 10) {
          lanes[i] = at(lanes, i) ^ low
          lanes[i + 1] = at(lanes, i + 1) ^ high
        }
      }
      let low = at(lanes, 2)
      let high = at(lanes, 3)
      for (let t = 0; t < 24; t++) {
        const to = targets[t] ?? 0
        const by = shifts[t] ?? 0
        // A rotation by 32 or more swaps the halves first; no lane moves by exactly 0 or 32.
        const a = by < 32 ? low : high
        const b = by < 32 ? high : low
        low = at(lanes, to)
        high = at(lanes, to + 1)
        lanes[to] = (a << by) | (b >>> -by)
        lanes[to + 1] = (b << by) | (a >>> -by)
      }
      for (let y = 0; y < 50; y += 10) {
        for (let i = 0; i < 10; i++) {
          columns[i] = at(lanes, y + i)
          columns[i + 10] = at(lanes, y + i)
        }
        for (let i = 0; i < 10; i++) lanes[y + i] = at(columns, i) ^ (~at(columns, i + 2) & at(columns, i + 4))
      }
      lanes[0] = at(lanes, 0) ^ at(constants, 2 * round)
      lanes[1] = at(lanes, 1) ^ at(constants, 2 * round + 1)
    }
  }

  const absorb = (blocks: number) => {
    for (let i = 0; i < 50; i++) lanes[i] = stateView.getInt32(4 * i, true)
    for (let block = 0; block < blocks * RATE; block += RATE) {
      for (let i = 0; i < RATE / 4; i++) lanes[i] = at(lanes, i) ^ inputView.getInt32(block + 4 * i, true)
      permute()
    }
    for (let i = 0; i < 50; i++) stateView.setInt32(4 * i, at(lanes, i), true)
  }
  return { state, input, absorb }
}

function at(words: Int32Array, index: number): number {
  return words[index] ?? 0
}
