// A process that buys one thing with a real key, and can be made to die at a named point.
import { createBuyer, type Purse } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { openStore } from '@groat/store'

const { PURSE = '', URL: url = '', KEY = '', CRASH = '', PURCHASE } = process.env

async function point<T>(name: string, value: T): Promise<T> {
  if (name === CRASH) {
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  }
  return value
}

const purse = await sqlIntents(await openStore(PURSE), { claimMs: 400 })
const watched: Purse = {
  ...purse,
  create: async (...args) => point('WP-02', await purse.create(...args)),
  release: async (...args) => {
    await point('WP-04', undefined)
    return purse.release(...args)
  },
}
// A key in this process signs within the step that writes the intent: dying there is dying before anything is written.
const account = privateKeyAccount(KEY)
const dying = {
  ...account,
  signDigest: async (digest: Uint8Array) => point('WP-01', await account.signDigest(digest)),
}
const buyer = createBuyer({
  schemes: [exactEvm({ account: dying })],
  policy: { perDay: '$0.001' },
  purse: watched,
  fetch: async (input, init) => {
    const answer = fetch(input, init)
    // Sent, settled and answered: and the answer is lost.
    if (new Headers(init?.headers).has('payment-signature') && CRASH === 'WP-03')
      await answer.then(() => point('WP-03', undefined))
    return answer
  },
})
const response = await buyer.fetch(url, PURCHASE === undefined ? {} : { idempotencyKey: PURCHASE })
const body = PURCHASE === undefined ? {} : { body: await response.text() }
await buyer.idle()
process.stdout.write(JSON.stringify({ status: response.status, outcome: buyer.outcome(response)?.status, ...body }))
process.exit(0)
