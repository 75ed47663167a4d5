import { X402Error } from '../errors/x402-error.js'

/** The largest amount a payment can name: 2^256 - 1 atomic units. */
export const MAX_ATOMIC = 2n ** 256n - 1n

/** Atomic units on the wire: `0`, or digits without a leading zero. No sign, point, exponent or hex. */
export const ATOMIC_PATTERN = /^(?:0|[1-9][0-9]{0,77})$/

/** A price as a person writes it: decimal text and the ticker of the asset it is counted in. */
export type Money = {
  /** Decimal text such as `0.001`. */
  readonly decimal: string
  /** `USD` means the network's default asset; any other ticker selects that asset. */
  readonly ticker: string
}

/**
 * Atomic units from their wire text, or `undefined` when the text is not exactly that.
 *
 * @example
 * parseAtomic('1000') // 1000n
 * parseAtomic('0x10') // undefined
 */
export function parseAtomic(text: string): bigint | undefined {
  if (!ATOMIC_PATTERN.test(text)) return undefined
  const atomic = BigInt(text)
  return atomic <= MAX_ATOMIC ? atomic : undefined
}

/**
 * A price from text: `$0.001`, `0.001`, `0.5 EURC`. Digits stand on both sides of a point. Nothing passes through a float.
 * Throws `X402Error` `invalid_price` for any other form.
 *
 * @example
 * parseMoney('$0.001') // { decimal: '0.001', ticker: 'USD' }
 */
export function parseMoney(text: string): Money {
  const [, decimal, ticker] = MONEY_PATTERN.exec(text) ?? []
  if (decimal === undefined) throw new X402Error('invalid_price', { price: text })
  return { decimal, ticker: ticker?.toUpperCase() ?? 'USD' }
}

/**
 * Atomic units of a decimal text, digit by digit.
 * Throws `X402Error` `price_too_small` when digits would be lost, `invalid_price` when it is no decimal text,
 * `price_too_large` above 2^256 - 1.
 *
 * @example
 * parseUnits('0.001', 6) // 1000n
 */
export function parseUnits(decimal: string, decimals: number): bigint {
  const [, whole = '', fraction = ''] = DECIMAL_PATTERN.exec(decimal) ?? []
  if (whole === '') throw new X402Error('invalid_price', { price: decimal })
  const significant = fraction.replace(/0+$/, '')
  if (significant.length > decimals) throw new X402Error('price_too_small', { price: decimal, decimals })
  const atomic = BigInt(whole + significant.padEnd(decimals, '0'))
  if (atomic > MAX_ATOMIC) throw new X402Error('price_too_large', { price: decimal })
  return atomic
}

/**
 * Decimal text of atomic units, without trailing zeros.
 *
 * @example
 * formatUnits(1000n, 6) // '0.001'
 */
export function formatUnits(atomic: bigint, decimals: number): string {
  const digits = atomic.toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}

const DECIMAL_PATTERN = /^([0-9]{1,90})(?:\.([0-9]{1,90}))?$/
const MONEY_PATTERN = /^ *\$? *([0-9]{1,90}(?:\.[0-9]{1,90})?)(?: +([A-Za-z][A-Za-z0-9.]{0,15}))? *$/
