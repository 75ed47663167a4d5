// A shop over a database file that can be made to die at a named point of a sale.
import { appendFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { exactEvm } from '@groat/evm/exact/server'
import { openStore } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import { type ClaimStore, createFacilitatorClient, paywall } from '../src/index.js'
import { createLedger } from '../src/ledger/index.js'
import { sqlClaims } from '../src/sql.js'
import { listen } from './listen.js'
import { payTo, testScheme } from './test-scheme.js'

const { SHOP = '', DATABASE = SHOP, FACILITATOR = '', CRASH = '', SCHEME, PAY_TO, BUNDLE, LEASE = '1' } = process.env

async function point(name: string): Promise<void> {
  if (name !== CRASH) return
  process.kill(process.pid, 'SIGKILL')
  await new Promise(() => {})
}

const database = await openStore(DATABASE)
const { book } = await createLedger(database)
const claims = await sqlClaims(database, {
  ledger: {
    book: {
      ...book,
      used: async (trx, pid, uses) => {
        await book.used(trx, pid, uses)
        if (uses.length > 1) await point('in-uses')
      },
    },
  },
})
const store: ClaimStore = {
  ...claims,
  settling: async (...args) => {
    const ours = await claims.settling(...args)
    await point('after-kept')
    return ours
  },
  settled: async (...args) => {
    await point('after-settled')
    const unique = await claims.settled(...args)
    await point('after-recorded')
    return unique
  },
}

const paid = paywall({
  facilitator: createFacilitatorClient(FACILITATOR),
  // With SCHEME it reads real signatures, and is where it says that it is.
  payTo: { 'base-sepolia': PAY_TO ?? payTo },
  schemes: [SCHEME === 'exact' ? exactEvm : testScheme],
  store,
  ...(SCHEME === undefined && { origin: 'http://shop.example' }),
  leaseSeconds: Number(LEASE),
})
const sell = paid(BUNDLE === undefined ? '$0.001' : { price: '$0.001', bundle: Number(BUNDLE) }, async () => {
  await appendFile(`${SHOP}.runs`, '.')
  await point('in-work')
  await sleep(20)
  return new Response('sunny')
})

const { url } = await listen(createServer(getRequestListener(sell)))
process.stdout.write(`${url}\n`)
