/** A sum of money: atomic units, and how many of them make one whole unit. */
export type Value = {
  /** Atomic units. */
  readonly units: bigint
  /** Digits after the point of one whole unit. */
  readonly decimals: number
}

/**
 * The sum of two sums, in the finer decimals of both. Nothing is rounded.
 *
 * @example
 * addValues({ units: 1n, decimals: 1 }, { units: 5n, decimals: 2 }) // { units: 15n, decimals: 2 }
 */
export function addValues(a: Value, b: Value): Value {
  const decimals = Math.max(a.decimals, b.decimals)
  const scaled = ({ units, decimals: own }: Value) => units * 10n ** BigInt(decimals - own)
  return { units: scaled(a) + scaled(b), decimals }
}

/**
 * Compares two sums by what they are worth, whatever their decimals: negative, zero or positive, as sorting wants it.
 * Nothing is rounded.
 *
 * @example
 * compareValues({ units: 10n, decimals: 1 }, { units: 100n, decimals: 2 }) // 0
 */
export function compareValues(a: Value, b: Value): number {
  const left = a.units * 10n ** BigInt(b.decimals)
  const right = b.units * 10n ** BigInt(a.decimals)
  return left < right ? -1 : left > right ? 1 : 0
}
