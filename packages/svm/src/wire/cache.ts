/** What was computed for a key before, or what `compute` makes of it now. */
export type Cache<Value> = (key: string, compute: () => Value) => Value

/**
 * Remembers the last `limit` to `2 * limit` values, so that strangers cannot fill the memory.
 *
 * @example
 * const squares = createCache<number>(1000)
 * squares('12', () => 12 * 12) // 144
 */
export function createCache<Value>(limit: number): Cache<Value> {
  let young = new Map<string, Value>()
  let old = new Map<string, Value>()
  return (key, compute) => {
    const known = young.get(key)
    if (known !== undefined) return known
    const value = old.get(key) ?? compute()
    if (young.size >= limit) {
      old = young
      young = new Map()
    }
    young.set(key, value)
    return value
  }
}
