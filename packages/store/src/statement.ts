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

class Place {
  readonly name: PropertyKey

  constructor(name: PropertyKey) {
    this.name = name
  }
}
