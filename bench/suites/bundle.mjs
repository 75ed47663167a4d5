import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims, paywall } from '@groat/server'
import { sqlClaims } from '@groat/server/sql'
import { openStore } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import { listen } from '../lib/http.mjs'
import { interleave } from '../lib/interleave.mjs'
import { paymentsFor } from '../lib/payments.mjs'
import { startPostgres } from '../lib/postgres.mjs'
import { startStubFacilitator } from '../lib/stub-facilitator.mjs'
import { printTable } from '../lib/table.mjs'

const network = 'eip155:84532'
const TOGETHER = 64

/**
 * Uses of a bundle per second, 64 at once, in this process and without a socket: token, conditional update, handler, answer. In memory, on SQLite, and on a
 * PostgreSQL of its own or the one that `GROAT_BENCH_POSTGRES` names.
 */
export async function run() {
  const facilitator = await startStubFacilitator()
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const postgres = await startPostgres()
  const stores = [await openStore(join(folder, 'shop.db')), await openStore(await postgres.database())]
  try {
    const [sqlite, pg] = stores
    const cases = {
      'in memory': await useBundle(facilitator, createMemoryClaims({ singleProcess: true })),
      SQLite: await useBundle(facilitator, await sqlClaims(sqlite)),
      PostgreSQL: await useBundle(facilitator, await sqlClaims(pg)),
    }
    printTable('uses of a bundle', await interleave(cases))
  } finally {
    for (const store of stores) await store.close()
    await postgres.remove()
    await rm(folder, { recursive: true })
    await facilitator.close()
  }
}

/** Buys a bundle, and gives what measures its uses. */
async function useBundle(facilitator, store) {
  const paid = paywall({
    facilitator: facilitator.url,
    payTo: { [network]: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' },
    schemes: [exactEvm],
    store,
  })
  const handler = paid({ price: '$0.01', bundle: 10_000_000 }, () => new Response('{"served":true}'))
  const server = await listen(getRequestListener(handler))
  const [headers] = await paymentsFor(`${server.url}/search`, 1)
  const bought = await fetch(`${server.url}/search`, { headers })
  const [token] = (bought.headers.get('payment-entitlement') ?? '').split(';')
  await server.close()
  const use = async () => {
    const request = new Request('http://shop.example/search', { headers: { 'payment-entitlement': token } })
    const response = await handler(request)
    await response.text()
    if (response.status !== 200) throw new Error(`a use was answered with ${response.status}`)
  }
  return async () => {
    let uses = 0
    const start = performance.now()
    const worker = async () => {
      while (performance.now() - start < 500) {
        await use()
        uses++
      }
    }
    await Promise.all(Array.from({ length: TOGETHER }, worker))
    return (uses / (performance.now() - start)) * 1000
  }
}
