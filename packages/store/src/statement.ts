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

/** Makes a statement of one store over lists: compiled once for each length they come in, as far as there is room. */
export function listStatement<DB, Values extends Lists, Row>(
  build: (db: Builds<DB>, values: Values) => Compilable<Row>,
): Statement<Values, Row> {
  const known = new Map<string, CompiledQuery<Row>>()
  return (on, values) => {
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
}

/** Lengths that are kept compiled; a load comes in few. */
const MOST_SHAPES = 128

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
