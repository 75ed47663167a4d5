// A facilitator of one's own, the official Express middleware pointed at it, and one payment through both, on a local chain:
// `node examples/own-facilitator/own-facilitator.mjs`, after `npm run build` in the root.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startSandbox } from '@groat/cli'
import { createPayer } from '@groat/client'
import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as exactEvmClient, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { openStore } from '@groat/store'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme } from '@x402/evm/exact/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import express from 'express'

/** The facilitator: a chain, an account that pays for gas, and a journal. Without code it is `groat facilitator pay.yaml`. */
export async function openFacilitator({ rpc, signer, journal }) {
  const chain = await createEvmChain({ network: network('base-sepolia'), rpc, signers: [signer] })
  const store = await openStore(journal)
  const facilitator = createFacilitator({ schemes: [exactEvm({ chains: [chain] })], store })
  const { url, close } = await serveFacilitator(facilitator, { port: 0 })
  await facilitator.start()
  return { url, close: () => close().then(() => store.close()) }
}

/** The shop: nothing in it is ours. */
export async function openShop({ facilitator, payTo }) {
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator }))
  server.register('eip155:84532', new ExactEvmScheme())
  const accepts = { scheme: 'exact', network: 'eip155:84532', payTo, price: '$0.001' }

  const app = express()
  app.use(paymentMiddleware({ 'GET /weather': { accepts } }, server))
  app.get('/weather', (_, res) => res.json({ temperature: 11 }))

  const listening = createServer(app).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const close = () => new Promise((done) => listening.close(done).closeAllConnections())
  return { url: `http://127.0.0.1:${listening.address().port}/weather`, close }
}

/** Buys once; what the facilitator says of it is what became of the payment. */
export async function buy({ url, facilitator, key }) {
  const schemes = [exactEvmClient({ account: privateKeyAccount(key) })]
  const payer = createPayer({ schemes, policy: { perPayment: '$0.01' } })
  const response = await payer.fetch(url)
  const { payment, receipt } = payer.outcome(response)
  const settlement = await (await fetch(`${facilitator}/settlements/${payment.pid}`)).json()
  return { answer: await response.json(), transaction: receipt.transaction, settlement: settlement.status }
}

/** All three on a local chain. */
export async function run({ evm, accounts }) {
  const accountOf = (role) => accounts.find((each) => each.role === role).evm
  const folder = await mkdtemp(join(tmpdir(), 'groat-own-facilitator-'))
  const opened = []
  try {
    // A signer belongs to one facilitator, and the sandbox has one of its own.
    const signer = accountOf('facilitator2').privateKey
    const facilitator = await openFacilitator({ rpc: evm.rpcUrl, signer, journal: join(folder, 'pay.db') })
    opened.push(facilitator)
    const shop = await openShop({ facilitator: facilitator.url, payTo: accountOf('seller').address })
    opened.push(shop)
    return await buy({ url: shop.url, facilitator: facilitator.url, key: accountOf('payer').privateKey })
  } finally {
    for (const each of opened.reverse()) await each.close()
    await rm(folder, { recursive: true })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { ready, stop } = await startSandbox({ only: 'evm', port: 0, demo: false })
  console.log(await run(ready).finally(stop))
}
