import type { Compilable, CompiledQuery, Kysely, QueryResult } from 'kysely'

/** What runs a statement: a store's `db`, or a transaction. */
export type Runs = Pick<Kysely<unknown>, 'getExecutor'>

/** What a statement is built with. */
export type Builds<DB> = Pick<Kysely<DB>, 'selectFrom' | 'insertInto' | 'updateTable' | 'deleteFrom'>

/**
 * A statement that is built and compiled when it runs first, and from then on only gets other values: for what runs with every request. Belongs to
 * one store. `value` stands for a value that is not there yet, so `build` can put it somewhere and must not look at it.
 *
 * @example
 * const claimed = statement<Tables, { pid: string }, { pid: string }>((db, value) =>
 *   db.selectFrom('claim').select('pid').where('pid', '=', value('pid')),
 * )
 * const { rows } = await claimed(store.db, { pid: '00' })
 */
export function statement<DB, Values extends object, Row = unknown>(
  build: (db: Builds<DB>, value: <Name extends keyof Values>(name: Name) => Values[Name]) => Compilable<Row>,
): (on: Runs, values: Values) => Promise<QueryResult<Row>> {
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
