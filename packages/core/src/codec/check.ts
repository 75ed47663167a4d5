import { isJsonObject, type JsonObject } from '../model/json.js'
import { type Decoded, refuse } from '../model/outcome.js'

/**
 * What a value must look like: the part of JSON Schema that wire schemas use, as a constant. Shapes are generated from the
 * zod schemas (`npm run gen`), so that nothing loads zod to read a message. `T` is the type of what fits.
 */
export type Shape<T = unknown> = {
  readonly type?: 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array'
  readonly const?: string | number | boolean
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: RegExp
  readonly exclusiveMinimum?: number
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  /** The shape of every member of an object whose names are free. */
  readonly additionalProperties?: Shape
  readonly items?: Shape
  readonly minItems?: number
  readonly maxItems?: number
  readonly anyOf?: readonly Shape[]
  /** Never there: it carries the type. */
  readonly fits?: T
}

/** The type of what fits a shape. */
export type Fitting<S extends Shape> = S extends Shape<infer T> ? T : never

/**
 * A parsed JSON value held against a shape. The value is handed back as it is, unknown members included. Refuses
 * `invalid_payload` and names the first field that is wrong.
 *
 * @example
 * check({ type: 'object', properties: { a: { type: 'string' } } }, { a: 1 }) // detail: 'a is missing or malformed'
 */
export function check<T>(shape: Shape<T>, value: unknown): Decoded<T> {
  const flaw = flawIn(shape, value)
  // The shape is the type's own, and the value fits it.
  if (flaw === undefined) return { ok: true, value: value as T }
  const path = flaw.join('.')
  return refuse(
    'invalid_payload',
    path === '' ? 'not the expected object' : `${path.slice(0, 80)} is missing or malformed`,
  )
}

type Path = readonly (string | number)[]

const HERE: Path = []

/** The path of the first place where a value does not fit; `undefined` when it fits. */
function flawIn(shape: Shape, value: unknown): Path | undefined {
  if (shape.const !== undefined && value !== shape.const) return HERE
  switch (shape.type) {
    case 'string':
      return typeof value === 'string' && isTextOf(shape, value) ? undefined : HERE
    case 'object':
      return isJsonObject(value) ? flawInMembers(shape, value) : HERE
    case 'array':
      return Array.isArray(value) ? flawInItems(shape, value) : HERE
    case 'number':
      return Number.isFinite(value) && Number(value) > (shape.exclusiveMinimum ?? -Infinity) ? undefined : HERE
    case 'boolean':
      return typeof value === 'boolean' ? undefined : HERE
    case 'null':
      return value === null ? undefined : HERE
    default:
      return shape.anyOf && flawInAll(shape.anyOf, value)
  }
}

function isTextOf({ minLength = 0, maxLength = Infinity, pattern }: Shape, text: string): boolean {
  return text.length >= minLength && text.length <= maxLength && (pattern === undefined || pattern.test(text))
}

function flawInMembers({ properties, required, additionalProperties }: Shape, value: JsonObject): Path | undefined {
  for (const name in properties ?? value) {
    const member = value[name]
    const shape = properties ? properties[name] : additionalProperties
    const isLeftOut = member === undefined && properties && !required?.includes(name)
    const flaw = isLeftOut ? undefined : shape && flawIn(shape, member)
    if (flaw) return [name, ...flaw]
  }
  return undefined
}

function flawInItems({ items, minItems = 0, maxItems = Infinity }: Shape, value: readonly unknown[]): Path | undefined {
  if (value.length < minItems || value.length > maxItems) return HERE
  for (let i = 0; items !== undefined && i < value.length; i++) {
    const flaw = flawIn(items, value[i])
    if (flaw) return [i, ...flaw]
  }
  return undefined
}

/** The flaw under the first alternative is the one to tell: the others say "or null". */
function flawInAll([first, ...others]: readonly Shape[], value: unknown): Path | undefined {
  const flaw = first && flawIn(first, value)
  return flaw && others.every((other) => flawIn(other, value)) ? flaw : undefined
}
