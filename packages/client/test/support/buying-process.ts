// A process that buys until its budget says no, with several calls at a time, and can be made to die at a named point of its nth payment.
import { openStore } from '@groat/store'
import { createBuyer, type Purse } from '../../src/buyer/index.js'
import { sqlIntents } from '../../src/sql.js'
import { spyScheme } from './spy-scheme.js'

const { PURSE = '', URL: url = '', NAME = '', CALLERS = '8', CRASH = '', CRASH_AT = '1', SIGNER } = process.env

let passed = 0
async function point<T>(name: string, value: T): Promise<T> {
  if (name === CRASH && ++passed === Number(CRASH_AT)) {
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  }
  return value
}

// A key in this process signs within the step that writes the intent: dying there is dying before anything is written.
const local = SIGNER === 'local'
const half = spyScheme({ local, sign: async (payload) => (local ? point('WP-01', payload) : payload) })
const purse = await sqlIntents(await openStore(PURSE, { busyTimeout: 60_000 }), { claimMs: 400 })
const watched: Purse = {
  ...purse,
  create: async (...args) => point(local ? 'WP-02' : 'WP-01', await purse.create(...args)),
  sign: async (...args) => {
    await point('WP-02', undefined)
    return purse.sign(...args)
  },
  release: async (...args) => {
    await point('WP-04', undefined)
    return purse.release(...args)
  },
}
const buyer = createBuyer({
  schemes: [half],
  policy: { perDay: '$10' },
  purse: watched,
  fetch: async (input, init) => {
    const pays = new Headers(init?.headers).has('payment-signature')
    const response = fetch(input, init)
    if (pays && CRASH === 'WP-03') {
      // The request is on its way; nobody waits for its answer.
      await new Promise((resolve) => setTimeout(resolve, 30))
      await point('WP-03', undefined)
    }
    return response
  },
})

let bought = 0
let nth = 0
async function caller() {
  for (;;) {
    const response = await buyer.fetch(`${url}?${NAME}=${nth++}`)
    await response.arrayBuffer()
    if (response.status !== 200) return
    bought++
  }
}
await Promise.all(Array.from({ length: Number(CALLERS) }, caller))
process.stdout.write(`${bought}`)
process.exit(0)
