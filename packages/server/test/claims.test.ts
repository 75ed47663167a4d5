import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryClaims } from '@groat/server'
import { sqlClaims } from '@groat/server/sql'
import { openMemoryStore, openStore } from '@groat/store'
import { describeClaims } from './claims-suite.js'

const start = 1_800_000_000_000

function movingClock(): { clock: () => number; later: (ms: number) => void } {
  let now = start
  return {
    clock: () => now,
    later: (ms) => {
      now += ms
    },
  }
}

describeClaims('memory', async () => {
  const { clock, later } = movingClock()
  const claims = createMemoryClaims({ singleProcess: true, clock })
  return { claims, other: claims, later, close: async () => {} }
})

describeClaims('a database in memory', async () => {
  const { clock, later } = movingClock()
  const store = await openMemoryStore({ clock })
  return { claims: await sqlClaims(store), other: await sqlClaims(store), later, close: () => store.close() }
})

describeClaims('a file that two connections share', async () => {
  const { clock, later } = movingClock()
  const folder = await mkdtemp(join(tmpdir(), 'groat-claims-'))
  const [one, two] = [
    await openStore(join(folder, 'shop.db'), { clock }),
    await openStore(join(folder, 'shop.db'), { clock }),
  ]
  return {
    claims: await sqlClaims(one),
    other: await sqlClaims(two),
    later,
    close: async () => {
      await one.close()
      await two.close()
      await rm(folder, { recursive: true })
    },
  }
})
