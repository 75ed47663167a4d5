import type { Address } from './address.js'
import type { Hex } from './hex.js'
import type { CallOutcome } from './rpc.js'

/** Where Multicall3 stands on almost every chain. */
// The address is written in its canonical lower case.
export const MULTICALL3 = '0xca11bde05977b3631167028862be2a173976ca11' as Address

/** One call of many. Each may fail by itself. */
export type PartCall = { readonly to: Address; readonly data: Hex }

/**
 * Call data of Multicall3's `aggregate3` with every call allowed to fail: many calls in one, in this order.
 *
 * @example
 * rpc.call({ to: MULTICALL3, data: encodeAggregate(calls) })
 */
export function encodeAggregate(calls: readonly PartCall[]): Hex {
  let offset = 32 * calls.length
  let heads = ''
  let tails = ''
  for (const { to, data } of calls) {
    heads += word(offset)
    const size = (data.length - 2) / 2
    const padded = 32 * Math.ceil(size / 32)
    // target, allowFailure, offset of the bytes, their length, the bytes
    tails += to.slice(2).padStart(64, '0') + TRUE + BYTES_AT + word(size) + data.slice(2).padEnd(2 * padded, '0')
    offset += 4 * 32 + padded
  }
  return `0x82ad56cb${word(32)}${word(calls.length)}${heads}${tails}`
}

/**
 * What each call of an `aggregate3` came to, or `undefined` when that is not an answer to so many calls.
 *
 * @example
 * const outcomes = decodeAggregate(reply.data, calls.length)
 */
export function decodeAggregate(data: Hex, count: number): readonly CallOutcome[] | undefined {
  const at = (byte: number): number | undefined => {
    const word = data.slice(2 + 2 * byte, 66 + 2 * byte)
    const value = Number(`0x${word}`)
    return word.length === 64 && value <= MAX_SIZE ? value : undefined
  }
  if (at(0) !== 32 || at(32) !== count) return undefined
  const outcomes: CallOutcome[] = []
  for (let i = 0; i < count; i++) {
    const offset = at(64 + 32 * i)
    if (offset === undefined) return undefined
    const start = 64 + offset
    const [ok, bytesAt] = [at(start), at(start + 32)]
    const size = bytesAt === undefined ? undefined : at(start + bytesAt)
    if (ok === undefined || bytesAt === undefined || size === undefined) return undefined
    const from = 2 + 2 * (start + bytesAt + 32)
    const bytes = data.slice(from, from + 2 * size)
    if (bytes.length !== 2 * size) return undefined
    outcomes.push({ ok: ok === 1, data: `0x${bytes}` })
  }
  return outcomes
}

const word = (value: number): string => value.toString(16).padStart(64, '0')
const TRUE = word(1)
const BYTES_AT = word(96)
const MAX_SIZE = 2 ** 32
