import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, bench, describe } from 'vitest'
import { openStore, type Store } from './index.js'

// One payment is an insert and then an update of a row of about 600 bytes, each its own durable transaction.
// A run of `n in flight` is n payments: multiply its rate by n. Run: npx vitest bench packages/store

type Tables = { journal: { pid: string; state: string; raw: string } }

const raw = 'x'.repeat(500)
const folder = mkdtempSync(join(tmpdir(), 'groat-bench-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let store: Store<Tables>
let count = 0

beforeAll(async () => {
  store = await openStore<Tables>(join(folder, 'bench.db'))
  await store.migrate({
    namespace: 'bench',
    steps: {
      '001': (db) =>
        db.schema
          .createTable('journal')
          .addColumn('pid', 'text', (c) => c.primaryKey())
          .addColumn('state', 'text')
          .addColumn('raw', 'text')
          .execute(),
    },
  })
})
afterAll(() => store.close())

async function pay() {
  const pid = String(count++).padStart(64, '0')
  await store.transaction((trx) => trx.insertInto('journal').values({ pid, state: 'CLAIMED', raw }).execute())
  await store.transaction((trx) => trx.updateTable('journal').set({ state: 'SENT' }).where('pid', '=', pid).execute())
}

describe('sqlite journal', () => {
  for (const n of [1, 8, 32, 256])
    bench(`${n} in flight`, async () => void (await Promise.all(Array.from({ length: n }, pay))), { time: 2000 })
})
