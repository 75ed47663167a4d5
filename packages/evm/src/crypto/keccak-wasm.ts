import { keccak256, keccakOf, laneMoves, RATE, ROUNDS, roundConstants, type Sponge } from './keccak.js'

/**
 * Keccak-256 on 64-bit lanes: a WebAssembly module of some 2 kB, assembled here, several times as fast as JavaScript.
 * Where WebAssembly is missing or forbidden, the one in JavaScript.
 *
 * @example
 * const keccak256 = createKeccak()
 * keccak256(new Uint8Array()) // 0xc5d246…a470
 */
export function createKeccak(): (bytes: Uint8Array) => Uint8Array {
  const sponge = instantiate()
  return sponge ? keccakOf(sponge) : keccak256
}

// Memory: the state, the round constants, the input.
const STATE = 200
const CONSTANTS = 200
const INPUT = 512
const BLOCKS = 400

function instantiate(): Sponge | undefined {
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(assemble()))
    // The two exports of the module below; the type of WebAssembly's exports cannot say so.
    const { memory, absorb } = instance.exports as { memory: WebAssembly.Memory; absorb: (blocks: number) => void }
    const constants = new DataView(memory.buffer, CONSTANTS)
    roundConstants().forEach((constant, round) => {
      constants.setBigUint64(8 * round, constant, true)
    })
    return {
      state: new Uint8Array(memory.buffer, 0, STATE),
      input: new Uint8Array(memory.buffer, INPUT, BLOCKS * RATE),
      absorb,
    }
  } catch {
    return undefined
  }
}

/** `memory`, and `absorb(blocks)`: per block, xor the input into the state and permute it. */
function assemble(): Uint8Array<ArrayBuffer> {
  const locals = [
    ...vector([
      [...leb(2), I32],
      [...leb(LANES + 5 + 2), I64],
    ]),
  ]
  const body = [...locals, ...absorbLoop(), END]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, 1, I32, 0]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[0, 1]])),
    ...section(
      7,
      vector([
        [...name('memory'), 2, 0],
        [...name('absorb'), 0, 0],
      ]),
    ),
    ...section(10, vector([[...leb(body.length), ...body]])),
  ])
}

// Locals: the parameter, two integers, the lanes of the state, theta's columns, two temporaries.
const BLOCKS_LEFT = 0
const POINTER = 1
const ROUND = 2
const LANE = 3
const LANES = 25
const COLUMN = LANE + LANES
const T0 = COLUMN + 5
const T1 = T0 + 1

const [I32, I64, VOID, END] = [0x7f, 0x7e, 0x40, 0x0b]
const [XOR, AND, ROTL] = [0x85, 0x83, 0x89]
const lane = (x: number, y: number) => LANE + (x % 5) + 5 * (y % 5)
const get = (local: number) => [0x20, ...leb(local)]
const set = (local: number) => [0x21, ...leb(local)]
const i32 = (value: number) => [0x41, ...sleb(value)]
const i64 = (value: number) => [0x42, ...sleb(value)]
const load = (offset: number) => [0x29, 3, ...leb(offset)]
const store = (offset: number) => [0x37, 3, ...leb(offset)]
const add = (local: number, value: number) => [...get(local), ...i32(value), 0x6a, ...set(local)]
const five = (f: (i: number) => number[]) => [0, 1, 2, 3, 4].flatMap(f)
const lanes = (f: (i: number) => number[]) => Array.from({ length: LANES }, (_, i) => f(i)).flat()

function absorbLoop(): number[] {
  return [
    ...lanes((i) => [...i32(0), ...load(8 * i), ...set(LANE + i)]),
    ...i32(INPUT),
    ...set(POINTER),
    ...[0x03, VOID],
    ...lanes((i) => (i < RATE / 8 ? [...get(LANE + i), ...get(POINTER), ...load(8 * i), XOR, ...set(LANE + i)] : [])),
    ...i32(0),
    ...set(ROUND),
    ...[0x03, VOID],
    ...round(),
    ...add(ROUND, 8),
    ...[...get(ROUND), ...i32(8 * ROUNDS), 0x47, 0x0d, 0],
    END,
    ...add(POINTER, RATE),
    ...add(BLOCKS_LEFT, -1),
    ...[...get(BLOCKS_LEFT), 0x0d, 0],
    END,
    ...lanes((i) => [...i32(0), ...get(LANE + i), ...store(8 * i)]),
  ]
}

function round(): number[] {
  const theta = [
    ...five((x) => [...get(lane(x, 0)), ...[1, 2, 3, 4].flatMap((y) => [...get(lane(x, y)), XOR]), ...set(COLUMN + x)]),
    ...five((x) => [
      ...[...get(COLUMN + ((x + 1) % 5)), ...i64(1), ROTL, ...get(COLUMN + ((x + 4) % 5)), XOR, ...set(T0)],
      ...five((y) => [...get(lane(x, y)), ...get(T0), XOR, ...set(lane(x, y))]),
    ]),
  ]
  // The moves are one cycle; walked backwards, one temporary is enough.
  const moves = laneMoves()
  const rhoPi = [...get(lane(1, 0)), ...set(T0)]
  for (const { from, to, by } of [...moves].reverse()) {
    const source = from === moves[0]?.from ? T0 : LANE + from
    rhoPi.push(...get(source), ...i64(by), ROTL, ...set(LANE + to))
  }

  const chi = five((y) => [
    ...[...get(lane(0, y)), ...set(T0), ...get(lane(1, y)), ...set(T1)],
    ...five((x) => {
      const next = x === 4 ? T0 : lane(x + 1, y)
      const after = x === 3 ? T0 : x === 4 ? T1 : lane(x + 2, y)
      return [...get(lane(x, y)), ...get(next), ...i64(-1), XOR, ...get(after), AND, XOR, ...set(lane(x, y))]
    }),
  ])
  const iota = [...get(LANE), ...get(ROUND), ...load(CONSTANTS), XOR, ...set(LANE)]
  return [...theta, ...rhoPi, ...chi, ...iota]
}

const section = (id: number, content: number[]) => [id, ...leb(content.length), ...content]
const vector = (items: number[][]) => [...leb(items.length), ...items.flat()]
const name = (text: string) => vector([...text].map((letter) => [letter.charCodeAt(0)]))

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]
}

function sleb(value: number): number[] {
  const byte = value & 0x7f
  const rest = value >> 7
  return (rest === 0 && byte < 0x40) || (rest === -1 && byte >= 0x40) ? [byte] : [byte | 0x80, ...sleb(rest)]
}
