import type { Compilable, CompiledQuery, Kysely, QueryResult } from 'kysely'

/** What runs a statement: a store's `db`, or a transaction. */
export type Runs = Pick<Kysely<unknown>, 'getExecutor'>

/** What a statement is built with. */
export type Builds<DB> = Pick<Kysely<DB>, 'selectFrom' | 'insertInto' | 'updateTable' | 'deleteFrom'>

/** A statement that is compiled: it runs with other values each time. */
export type Statement<Values, Row> = (on: Runs, values: Values) => Promise<QueryResult<Row>>

/** Makes a statement of one store: built and compiled when it runs first. */
export function statement<DB, Values extends object, Row>(
  build: (db: Builds<DB>, value: <Name extends keyof Values>(name: Name) => Values[Name]) => Compilable<Row>,
): Statement<Values, Row> {
  let compiled: CompiledQuery<Row> | undefined
  return (on, values) => {
    // A place goes through the builder as an opaque value, and what runs a statement can build one, whatever its type shows of it.
    compiled ??= build(on as Kysely<DB>, (name) => new Place(name) as never).compile()
    const parameters = compiled.parameters.map((given) =>
      given instanceof Place ? values[given.name as keyof Values] : given,
    )
    return on.getExecutor().executeQuery<Row>({ ...compiled, parameters })
  }
}

/** What a statement over lists gets: values, rows, and lists of either; the rows of a list all have the same columns. */
export type Lists = Readonly<Record<string, unknown>>

/**
 * Makes a statement of one store over lists: compiled once for each length they come in. Lengths are few, so that what is kept compiled is bounded and soon
 * there: values are filled up with the last of them, and rows, where another statement costs little (`splits`), go in several.
 */
export function listStatement<DB, Values extends Lists, Row>(
  build: (db: Builds<DB>, values: Values) => Compilable<Row>,
  { splits }: { readonly splits: boolean },
): Statement<Values, Row> {
  const known = new Map<string, CompiledQuery<Row>>()

  function run(on: Runs, values: Lists): Promise<QueryResult<Row>> {
    const shape = shapeOf(values)
    let compiled = known.get(shape)
    if (compiled === undefined) {
      // As with `statement`: places go through the builder as opaque values.
      compiled = build(on as Kysely<DB>, placesFor(values) as Values).compile()
      if (known.size === MOST_SHAPES) known.clear()
      known.set(shape, compiled)
    }
    const parameters = compiled.parameters.map((given) => (given instanceof ListPlace ? given.of(values) : given))
    return on.getExecutor().executeQuery<Row>({ ...compiled, parameters })
  }

  return async (on, values) => {
    // All of them before what is asked next, though nobody waits for that.
    const [first, ...others] = await Promise.all(partsOf(values, splits).map((part) => run(on, part)))
    if (first === undefined) throw new TypeError('A statement has one part at least')
    if (others.length === 0) return first
    const changed = others.reduce((sum, { numAffectedRows = 0n }) => sum + numAffectedRows, first.numAffectedRows ?? 0n)
    return { ...first, rows: [first, ...others].flatMap(({ rows }) => rows), numAffectedRows: changed }
  }
}

/** Shapes that are kept compiled. */
const MOST_SHAPES = 64

/** The values with their lists in lengths that are few. Where rows are split, each part has everything else. */
function partsOf(values: Lists, splits: boolean): readonly Lists[] {
  let whole = values
  let split: readonly Lists[] = []
  for (const name in values) {
    const list = values[name]
    if (!Array.isArray(list)) continue
    if (!isRow(list[0])) {
      const missing = atLeast(list.length) - list.length
      if (missing > 0) whole = { ...whole, [name]: [...list, ...Array(missing).fill(list.at(-1))] }
    } else if (splits) {
      split = inLengths(list).map((part) => ({ [name]: part }))
    }
  }
  const [first = {}, ...others] = split
  return [{ ...whole, ...first }, ...others.map((part) => ({ ...whole, ...part }))]
}

/** A list is filled up by a half at the most, and falls into few parts. */
const LENGTHS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
const LONGEST = 256

/** The shortest of these that so much goes into; beyond them, so many times the longest. */
function atLeast(count: number): number {
  return LENGTHS.find((length) => length >= count) ?? Math.ceil(count / LONGEST) * LONGEST
}

function inLengths(list: readonly unknown[]): readonly (readonly unknown[])[] {
  const parts: (readonly unknown[])[] = []
  for (let at = 0; at < list.length; at += parts.at(-1)?.length ?? 0) {
    const length = LENGTHS.findLast((length) => length <= list.length - at)
    parts.push(list.slice(at, at + (length ?? 1)))
  }
  return parts
}

function shapeOf(values: Lists): string {
  let shape = ''
  for (const name in values) {
    const value = values[name]
    if (Array.isArray(value)) shape += `${name} ${value.length} `
    else if (isRow(value)) shape += `${name} ${Object.keys(value).join()} `
  }
  return shape
}

function placesFor(values: Lists): Lists {
  return mapRow(values, (value, name) => {
    if (Array.isArray(value)) return value.map((each: unknown, at) => placeAt(each, (from) => listOf(from[name])[at]))
    return placeAt(value, (from) => from[name])
  })
}

function placeAt(value: unknown, of: ListPlace['of']): unknown {
  if (!isRow(value)) return new ListPlace(of)
  return mapRow(value, (_, column) => new ListPlace((from) => rowOf(of(from))[column]))
}

function mapRow(row: Lists, map: (value: unknown, name: string) => unknown): Lists {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, map(value, name)]))
}

// The shape has been compared: what was a list or a row is one.
const listOf = (value: unknown) => value as readonly unknown[]
const rowOf = (value: unknown) => value as Lists

function isRow(value: unknown): value is Lists {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

class ListPlace {
  readonly of: (values: Lists) => unknown

  constructor(of: (values: Lists) => unknown) {
    this.of = of
  }
}

class Place {
  readonly name: PropertyKey

  constructor(name: PropertyKey) {
    this.name = name
  }
}
