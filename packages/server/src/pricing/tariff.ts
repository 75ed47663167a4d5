import { parseMoney, X402Error } from '@groat/core'
import type { Price } from '../offers.js'
import type { PriceWords, Used } from '../price-words.js'
import { type Decimal, parseDecimal, unitsAt, ZERO } from './decimal.js'

/** What is counted. */
export type Unit = keyof Used

/** What is charged for what, in decimal prices of one currency. */
export type Tariff = {
  readonly base: Decimal
  readonly rates: ReadonlyMap<Unit, Decimal>
  /** Minutes that are charged at least. */
  readonly minimumMinutes: bigint
  /** Input tokens that are charged where an answer does not come to say how many there were: so many, or by the request's body. */
  readonly leastInput: bigint | 'body' | undefined
}

/**
 * Reads the prices by use of a route; `undefined`: there are none.
 * Throws `X402Error` `invalid_price`, and `invalid_config` for a missing `upTo`, prices in several currencies and minutes that are none.
 */
export function tariffOf(words: PriceWords & { readonly price?: unknown }): Tariff | undefined {
  const { perToken, perMinute, upTo, price } = words
  const minutes = typeof perMinute === 'object' ? perMinute : { price: perMinute, minimum: undefined }
  const listed: readonly (readonly [Unit, Price | undefined, number])[] = [
    ['inputTokens', perToken?.input, 0],
    ['outputTokens', perToken?.output, 0],
    ['minutes', minutes.price, 0],
    ['milliseconds', words.perMillisecond, 0],
    ['bytes', words.perByte ?? words.perGigabyte, words.perByte === undefined ? 9 : 0],
    ['cycles', words.perCycle, 0],
  ]
  const given = listed.flatMap(([unit, text, shift]) => (text === undefined ? [] : [{ unit, text, shift }]))
  if (given.length === 0) {
    if (upTo !== undefined) throw invalid('upTo', 'nothing is charged by use')
    return undefined
  }
  if (upTo === undefined) throw invalid('upTo', 'what is charged by use needs a ceiling')
  if (words.perByte !== undefined && words.perGigabyte !== undefined) {
    throw invalid('perGigabyte', 'bytes have one price')
  }
  if (price !== undefined && typeof price !== 'string') throw invalid('price', 'beside prices by use it is a fixed one')
  const { ticker } = parseMoney(upTo)
  const read = (text: Price): Decimal => {
    const money = parseMoney(text)
    if (money.ticker !== ticker) throw invalid('upTo', 'the prices of a route are in one currency')
    return parseDecimal(money.decimal)
  }
  const minimum = minutes.minimum ?? 1
  if (!Number.isSafeInteger(minimum) || minimum < 0) throw invalid('perMinute', 'minimum is a whole number of minutes')
  const base = price === undefined ? ZERO : read(price)
  if (base.units * 10n ** 60n >= read(upTo).units * 10n ** BigInt(60 + base.scale - read(upTo).scale)) {
    throw invalid('upTo', 'the ceiling is above the price')
  }
  return {
    base,
    rates: new Map(
      given.map(({ unit, text, shift }) => {
        const { units, scale } = read(text)
        return [unit, { units, scale: scale + shift }]
      }),
    ),
    minimumMinutes: BigInt(minimum),
    leastInput: leastInputOf(perToken?.leastInput),
  }
}

/** Throws `X402Error` `invalid_config`. */
function leastInputOf(least: number | 'body' | undefined): Tariff['leastInput'] {
  if (least === undefined || least === 'body') return least
  if (!Number.isSafeInteger(least) || least < 0)
    throw invalid('perToken', 'leastInput is a whole number of tokens, or body')
  return BigInt(least)
}

/** A tariff with all of its prices brought to one scale. */
export type ScaledTariff = {
  readonly scale: number
  readonly base: bigint
  readonly rates: ReadonlyMap<Unit, bigint>
  readonly minimumMinutes: bigint
  readonly leastInput: Tariff['leastInput']
}

export function scaled({ base, rates, minimumMinutes, leastInput }: Tariff): ScaledTariff {
  const scale = Math.max(base.scale, ...[...rates.values()].map((rate) => rate.scale))
  return {
    scale,
    base: unitsAt(base, scale),
    rates: new Map([...rates].map(([unit, rate]) => [unit, unitsAt(rate, scale)])),
    minimumMinutes,
    leastInput,
  }
}

export const invalid = (field: string, reason: string) => new X402Error('invalid_config', { field, reason })
