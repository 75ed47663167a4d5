import type { History } from './history.js'

/** What became of a law in a history: who broke it, or `not recorded` when what it speaks of is not in there. */
export type Ruling = readonly string[] | 'not recorded'

/** One invariant: what it says, and who breaks it. */
export type Law = { readonly id: `INV-${number}`; readonly says: string; judge(history: History): Ruling }

export const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}

export const sum = (amounts: readonly string[]): bigint => amounts.reduce((total, amount) => total + BigInt(amount), 0n)

/** The keys that more than one item has. */
export function doubled<T>(items: readonly T[], keyOf: (item: T) => string): readonly string[] {
  return [...groupBy(items, keyOf)].flatMap(([key, group]) => (group.length > 1 ? [key] : []))
}

export const placeOf = (network: string, transaction: string, logIndex: number): string =>
  `${network} ${transaction.toLowerCase()} ${logIndex}`
