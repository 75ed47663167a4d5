import fc from 'fast-check'

/** The object with one member, anywhere in it, replaced by anything. */
export function mutationOf(object: unknown): fc.Arbitrary<unknown> {
  const paths = pathsOf(object)
  return fc.tuple(fc.constantFrom(...paths), fc.jsonValue()).map(([path, value]) => replaced(object, path, value))
}

function pathsOf(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[]]
  return [[], ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner).map((path) => [key, ...path]))]
}

function replaced(object: unknown, [key, ...rest]: string[], value: unknown): unknown {
  if (key === undefined) return value
  const inner = object as Record<string, unknown>
  return { ...inner, [key]: replaced(inner[key], rest, value) }
}
