import * as fc from 'fast-check'

/** Any value at all, and more often one that readers of messages stumble over. */
export const arbHostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything(),
  fc.constantFrom<unknown>(0, -0, -1, 1, 2, 1.5, 2 ** 53, '0x1', '1e3', '', ' 1', null, true, [], {}),
  fc.constantFrom<unknown>('__proto__', '\u0000', '٣', '1\n', 'é', '😀', '-', 'base', 'eip155:1', 'eip155:*'),
  // Either side of every limit that a message has.
  fc
    .constantFrom(1, 5, 6, 32, 33, 64, 65, 78, 79, 2048, 2049)
    .chain((length) => fc.constantFrom<unknown>('9'.repeat(length), 'a'.repeat(length), Array(length).fill('a'))),
)

/** A message in which one place, anywhere, was replaced by something hostile, or taken out. */
export function arbMutated(message: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return fc.tuple(message, fc.nat(), arbHostile, fc.boolean()).map(([original, at, hostile, remove]) => {
    const copy = JSON.parse(JSON.stringify(original))
    const places: [Record<string, unknown>, string][] = []
    const walk = (node: unknown) => {
      if (typeof node !== 'object' || node === null) return
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key])
        walk((node as Record<string, unknown>)[key])
      }
    }
    walk(copy)
    const [parent, key] = places[at % Math.max(places.length, 1)] ?? []
    if (parent && key !== undefined) {
      if (remove) delete parent[key]
      else parent[key] = hostile
    }
    return copy
  })
}
