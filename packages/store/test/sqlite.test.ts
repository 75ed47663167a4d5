import { statSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { openMemoryStore, openStore } from '../src/index.js'
import { describeProcesses } from './process-suite.js'
import { describeStore } from './store-suite.js'
import { tempFolder } from './temp-folder.js'

const folder = tempFolder()

describeStore('sqlite', (options) => openStore(folder.fresh(), options))
describeStore('memory', (options) => openMemoryStore(options))
describeProcesses('sqlite', async () => folder.fresh())

test('what is committed is moved into the file while others go on writing, and the log starts over', async () => {
  const path = folder.fresh()
  const store = await openStore<{ t: { k: number; v: string } }>(path)
  await store.transaction((trx) =>
    trx.schema.createTable('t').addColumn('k', 'integer').addColumn('v', 'text').execute(),
  )
  const write = (k: number, v: string) => store.transaction((trx) => trx.insertInto('t').values({ k, v }).execute())
  for (let k = 0; k < 64; k += 1) await write(k, 'x'.repeat(4000))
  await vi.waitFor(() => expect(statSync(path).size).toBeGreaterThan(100_000))
  for (let k = 0; k < 250; k += 1) await write(k, 'x'.repeat(250_000))
  // Without a start over it would hold all that was written.
  expect(statSync(`${path}-wal`).size).toBeLessThan(40_000_000)
  await store.close()
})
