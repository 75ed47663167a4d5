import { X402Error } from '@groat/core'

/** A decimal number, exactly: `units` divided by 10 to the power of `scale`. */
export type Decimal = { readonly units: bigint; readonly scale: number }

export const ZERO: Decimal = { units: 0n, scale: 0 }
export const ONE: Decimal = { units: 1n, scale: 0 }

/**
 * A decimal number from text, digit by digit. Throws `X402Error` `invalid_price`.
 *
 * @example
 * parseDecimal('0.015') // { units: 15n, scale: 3 }
 */
export function parseDecimal(text: string): Decimal {
  const [, whole, fraction = ''] = /^([0-9]{1,60})(?:\.([0-9]{1,60}))?$/.exec(text) ?? []
  if (whole === undefined) throw new X402Error('invalid_price', { price: text })
  const digits = fraction.replace(/0+$/, '')
  return { units: BigInt(whole + digits), scale: digits.length }
}

/** The same number with more digits behind its point. */
export function unitsAt({ units, scale }: Decimal, target: number): bigint {
  return units * 10n ** BigInt(target - scale)
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { units: a.units * b.units, scale: a.scale + b.scale }
}

/** Atomic units of a number: a part of one counts as one. */
export function atomicOf({ units, scale }: Decimal, decimals: number): bigint {
  return divideUp(units * 10n ** BigInt(decimals), 10n ** BigInt(scale))
}

export function divideUp(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b
}

/** Decimal text, the same for the same number. */
export function formatDecimal({ units, scale }: Decimal): string {
  return `${units}e-${scale}`
}
