import { register } from 'node:module'

/**
 * A PostgreSQL of its own, from the binaries that the tests use, which writes to the disk as one in production does. With
 * `GROAT_BENCH_POSTGRES` the one that it names instead. `database()` makes an empty database and answers its URL.
 */
export async function startPostgres() {
  const { url, remove } = await start()
  const { openStore } = await import('@groat/store')
  let made = 0
  return {
    url,
    async database() {
      const name = `bench_${process.pid}_${made++}`
      const admin = await openStore(url)
      const text = `create database ${name}`
      const query = { kind: 'RawNode', sqlFragments: [text], parameters: [] }
      await admin.db.executeQuery({ query, sql: text, parameters: [], queryId: { queryId: name } })
      await admin.close()
      return Object.assign(new URL(url), { pathname: `/${name}` }).href
    },
    remove,
  }
}

async function start() {
  const { GROAT_BENCH_POSTGRES: url } = process.env
  if (url !== undefined) return { url, remove: async () => {} }
  readTypeScript()
  const { startPostgres } = await import('../../packages/store/test/embedded-postgres.ts')
  return startPostgres({ durable: true })
}

let reads = false

/** From here on this process can import sources. */
export function readTypeScript() {
  if (reads) return
  reads = true
  register(new URL('../../packages/facilitator/test/child/typescript.mjs', import.meta.url))
}
