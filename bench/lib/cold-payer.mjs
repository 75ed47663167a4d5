// One process that loads a payer and makes its first payment, to a seller in the process itself, and says how long each took: for the suite `cold`.
// Nothing is imported before the clock runs, and only what the payer that is named needs.
import { samplePayment } from './sample.mjs'

const key = `0x${'46'.repeat(32)}`
const [name, store] = process.argv.slice(2)

const required = Buffer.from(
  JSON.stringify({ x402Version: 2, error: 'payment_required', accepts: [samplePayment.accepted] }),
).toString('base64')
let paid = 0
/** A seller that is asked without a network: what is measured is the payer alone. */
async function seller(input, init) {
  const headers = new Headers(init?.headers ?? input?.headers)
  if (!headers.has('payment-signature')) {
    return new Response('{}', { status: 402, headers: { 'PAYMENT-REQUIRED': required } })
  }
  paid++
  return new Response('{}')
}

const payers = {
  async official() {
    const [{ wrapFetchWithPaymentFromConfig }, { ExactEvmScheme }, { privateKeyToAccount }] = await Promise.all([
      import('@x402/fetch'),
      import('@x402/evm/exact/client'),
      import('viem/accounts'),
    ])
    const client = new ExactEvmScheme(privateKeyToAccount(key))
    return wrapFetchWithPaymentFromConfig(seller, { schemes: [{ network: 'eip155:*', client }] })
  },
  async noble() {
    const [{ payingFetch }, { exactEvm, privateKeyAccount }] = await Promise.all([
      import('@groat/client'),
      import('@groat/evm/exact/client'),
    ])
    return payingFetch({ schemes: [exactEvm({ account: privateKeyAccount(key) })], fetch: seller })
  },
  async native() {
    const [{ payingFetch }, { exactEvm, privateKeyAccount }, { loadEngine }] = await Promise.all([
      import('@groat/client'),
      import('@groat/evm/exact/client'),
      import('@groat/evm/crypto/node'),
    ])
    const engine = await loadEngine()
    return payingFetch({ schemes: [exactEvm({ account: privateKeyAccount(key, { engine }), engine })], fetch: seller })
  },
  async buyer() {
    const [{ createBuyer }, { exactEvm, privateKeyAccount }] = await Promise.all([
      import('@groat/client/buyer'),
      import('@groat/evm/exact/client'),
    ])
    const policy = { perDay: '$10' }
    return createBuyer({ schemes: [exactEvm({ account: privateKeyAccount(key) })], policy, fetch: seller }).fetch
  },
  async disk() {
    const [{ createBuyer }, { sqlIntents }, { openStore }, { exactEvm, privateKeyAccount }] = await Promise.all([
      import('@groat/client/buyer'),
      import('@groat/client/sql'),
      import('@groat/store'),
      import('@groat/evm/exact/client'),
    ])
    const purse = await sqlIntents(await openStore(store))
    const policy = { perDay: '$10' }
    return createBuyer({ schemes: [exactEvm({ account: privateKeyAccount(key) })], policy, purse, fetch: seller }).fetch
  },
}

const start = performance.now()
const used = process.cpuUsage()
const pay = await payers[name]()
const loaded = performance.now()
const response = await pay('https://api.shop.test/quote')
const end = performance.now()
const { user, system } = process.cpuUsage(used)
if (paid !== 1 || response.status !== 200) throw new Error(`${name} did not pay: ${response.status}`)
process.stdout.write(JSON.stringify({ load: loaded - start, first: end - loaded, cpu: (user + system) / 1000 }))
process.exit(0)
