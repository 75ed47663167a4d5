export { isUniqueViolation, type StoreReason, storeReason } from './errors.js'
export type { Migrations } from './migrations.js'
export { savepoint } from './savepoint.js'
export type { Builds, Lists, Runs, Statement } from './statement.js'
export {
  type AnyStore,
  openMemoryStore,
  openStore,
  type Reader,
  type Store,
  type StoreOptions,
  type TransactionOptions,
} from './store.js'
