import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPayer } from '@groat/client'
import { createBuyer } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import { loadEngine } from '@groat/evm/crypto/node'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { openStore } from '@groat/store'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { privateKeyToAccount } from 'viem/accounts'
import { listen } from '../lib/http.mjs'
import { roundRobin } from '../lib/round-robin.mjs'
import { samplePayment } from '../lib/sample.mjs'
import { printTable } from '../lib/table.mjs'

const key = `0x${'46'.repeat(32)}`

/** A paid request as its client sees it. Two bare requests are the floor; what is above it is the client's own time. */
export async function run() {
  const seller = await startSeller()
  const url = `${seller.url}/paid`
  const engine = await loadEngine()
  const payer = (options) =>
    createPayer({ schemes: [exactEvm({ account: privateKeyAccount(key, options), ...options })] }).fetch
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const store = await openStore(join(folder, 'purse.db'))
  const buyer = (purse) =>
    createBuyer({
      schemes: [exactEvm({ account: privateKeyAccount(key, { engine }), engine })],
      policy: { perDay: '$1000000', eachOrigin: { perDay: '$1000000' } },
      ...(purse && { purse }),
    }).fetch
  const official = wrapFetchWithPaymentFromConfig(fetch, {
    schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(privateKeyToAccount(key)) }],
  })
  const twice = async () => {
    await (await fetch(url)).text()
    return fetch(url, { headers: { 'PAYMENT-SIGNATURE': 'any' } })
  }
  const finished = (pay) => async () => {
    const response = await pay(url)
    if (response.status !== 200) throw new Error(`answered ${response.status}`)
    await response.text()
  }
  try {
    const rows = await roundRobin({
      'official fetch': finished(official),
      [`groat, ${engine.name} engine`]: finished(payer({ engine })),
      'groat, noble engine': finished(payer({})),
      'groat buyer, budgets in memory': finished(buyer()),
      'groat buyer, budgets and intents on disk': finished(buyer(await sqlIntents(store))),
      'two bare requests': finished(twice),
    })
    printTable('402 to answer, one client', rows)
    const floor = 1000 / rows.at(-1).perSecond
    for (const { name, perSecond } of rows.slice(0, -1)) {
      console.log(`  ${name}: ${(1000 / perSecond - floor).toFixed(2)} ms above two bare requests`)
    }
  } finally {
    await seller.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function startSeller() {
  const challenge = { x402Version: 2, error: 'payment_required', accepts: [samplePayment.accepted] }
  const required = Buffer.from(JSON.stringify(challenge)).toString('base64')
  const receipt = { success: true, payer: '', transaction: `0x${'1'.repeat(64)}`, network: 'eip155:84532' }
  const settled = Buffer.from(JSON.stringify(receipt)).toString('base64')
  return listen((request, response) => {
    if (request.headers['payment-signature'] === undefined) {
      return response.writeHead(402, { 'PAYMENT-REQUIRED': required }).end('{}')
    }
    response.writeHead(200, { 'PAYMENT-RESPONSE': settled }).end('{}')
  })
}
