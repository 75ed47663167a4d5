// What every seller here shares: a local chain with a facilitator, and a buyer who buys once. Not part of a shop.
import { pathToFileURL } from 'node:url'
import { startSandbox } from '@groat/cli'
import { createPayer } from '@groat/client'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'

export { startSandbox }

/** Run as a program, the file sells once on a local chain; imported, it does nothing. */
export async function tryOut(url, openShop) {
  if (url !== pathToFileURL(process.argv[1] ?? '').href) return
  const { ready, stop } = await startSandbox({ only: 'evm', port: 0, demo: false })
  let shop
  try {
    shop = await openShop(settingsOf(ready))
    console.log(await buy(shop.url, ready))
  } finally {
    await shop?.close()
    await stop()
  }
}

/** What a shop is told of the world. */
export const settingsOf = (ready) => ({
  facilitator: ready.facilitator.url,
  payTo: { 'base-sepolia': accountOf(ready, 'seller').address },
})

/** Buys once: the status, the answer, and the transaction that paid for it. */
export async function buy(url, ready) {
  const account = privateKeyAccount(accountOf(ready, 'payer').privateKey)
  const payer = createPayer({ schemes: [exactEvm({ account })], policy: { perPayment: '$0.01' } })
  const unpaid = await fetch(url)
  const response = await payer.fetch(url)
  const receipt = JSON.parse(atob(response.headers.get('PAYMENT-RESPONSE') ?? 'e30='))
  return {
    unpaid: unpaid.status,
    paid: response.status,
    answer: await response.text(),
    transaction: receipt.transaction,
  }
}

/** A `node:http` server on a free port of this machine. */
export const listen = (server) =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${server.address().port}/weather`,
        close: () =>
          new Promise((done) => {
            server.close(done)
            server.closeAllConnections()
          }),
      }),
    )
  })

const accountOf = (ready, role) => ready.accounts.find((each) => each.role === role).evm
