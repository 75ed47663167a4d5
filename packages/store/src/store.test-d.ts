import type { AnyStore, Store } from './index.js'

type Claims = { claim: { pid: string; claimed_at: number } }
type Sales = { sale: { id: string } }

declare const claims: Store<Claims>
declare const both: Store<Claims & Sales>
declare function needsSales(store: AnyStore): void

// Whatever was opened can be handed to a package that brings its own tables.
needsSales(claims)
needsSales(both)
claims.withTables<Sales>().db satisfies Store<Sales>['db']

void claims.transaction((trx) => trx.insertInto('claim').values({ pid: 'a', claimed_at: 1 }).execute())
// @ts-expect-error: not a column
void claims.transaction((trx) => trx.insertInto('claim').values({ pid: 'a', when: 1 }).execute())
// @ts-expect-error: writes need a transaction
claims.db.insertInto
