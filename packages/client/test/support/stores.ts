import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '@groat/store'
import { onTestFinished } from 'vitest'
import { memoryPurse, type Purse } from '../../src/buyer/index.js'
import { type Intents, memoryIntents } from '../../src/index.js'
import { sqlIntents } from '../../src/sql.js'

/** The intent stores that one suite runs over. */
export const stores: readonly (readonly [name: string, open: () => Promise<Intents>])[] = [
  ['memory', async () => memoryIntents()],
  ['SQL', openSqlIntents],
]

/** The purses that one suite runs over. */
export const purses: readonly (readonly [name: string, open: () => Promise<Purse>])[] = [
  ['memory', async () => memoryPurse()],
  ['SQL', openSqlIntents],
]

async function openSqlIntents(): Promise<Purse> {
  const store = await openStore(await temporaryFile('purse.db'))
  onTestFinished(() => store.close())
  return sqlIntents(store)
}

/** A path in a folder of its own, which is removed after the test. */
export async function temporaryFile(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'groat-client-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, name)
}
