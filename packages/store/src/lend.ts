import type { ConnectionProvider } from 'kysely'
import { storeError } from './errors.js'

/**
 * Lends a connection to `use` for as long as it runs, and at most for `timeout` milliseconds: a query that comes later
 * (a forgotten `await`) would land in somebody else's transaction, so it is refused.
 */
export async function lend<T>(
  connection: ConnectionProvider,
  timeout: number,
  use: (connection: ConnectionProvider) => Promise<T>,
): Promise<T> {
  let over = false
  try {
    return await within(
      timeout,
      use({
        provideConnection: async (consumer) => {
          if (over) throw storeError('ended')
          return connection.provideConnection(consumer)
        },
      }),
    )
  } finally {
    over = true
  }
}

function within<T>(timeout: number, work: Promise<T>): Promise<T> {
  if (timeout === Number.POSITIVE_INFINITY) return work
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(storeError('timeout')), timeout)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
