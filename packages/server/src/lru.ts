/** A map that forgets what was not used for the longest time. */
export type Lru<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  clear(): void
}

/** Keeps at most `max` values. */
export function createLru<V>(max: number): Lru<V> {
  const entries = new Map<string, V>()
  let newest: string | undefined
  return {
    get: (key) => {
      const value = entries.get(key)
      if (value !== undefined && key !== newest) {
        entries.delete(key)
        entries.set(key, value)
        newest = key
      }
      return value
    },
    set: (key, value) => {
      entries.delete(key)
      entries.set(key, value)
      newest = key
      const oldest = entries.size > max ? entries.keys().next().value : undefined
      if (oldest !== undefined) entries.delete(oldest)
    },
    clear: () => {
      entries.clear()
      newest = undefined
    },
  }
}
