import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { knownTerms } from '@groat/client'
import { createBuyer } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import { loadEngine } from '@groat/evm/crypto/node'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { openStore } from '@groat/store'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { privateKeyToAccount } from 'viem/accounts'
import { median, summarize } from '../lib/round-robin.mjs'
import { samplePayment } from '../lib/sample.mjs'
import { printTable } from '../lib/table.mjs'

const key = `0x${'46'.repeat(32)}`
const url = 'https://api.shop.test/quote'

/**
 * What stands between a 402 and the signed retry, without the noise of two requests: the seller is a function. `until the retry` is from the 402 to the
 * signature; `the whole` is everything above two bare calls, what is written down afterwards too; `processor` is that in processor time, for a machine
 * that others use as well. The targets are a quarter of the published fetch's with budgets in memory, and no more than it with intent and budgets on disk.
 */
export async function run() {
  const engine = await loadEngine()
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const store = await openStore(join(folder, 'purse.db'))
  const buyer = (more) =>
    createBuyer({
      schemes: [exactEvm({ account: privateKeyAccount(key, { engine }), engine })],
      policy: { perDay: '$1000000', eachOrigin: { perDay: '$1000000' } },
      fetch: seller,
      digestBytes: 0,
      ...more,
    }).fetch
  const client = new ExactEvmScheme(privateKeyToAccount(key))
  const cases = {
    'official fetch': wrapFetchWithPaymentFromConfig(seller, { schemes: [{ network: 'eip155:*', client }] }),
    'groat buyer, in memory': buyer(),
    'groat buyer, in memory, known terms': buyer({ known: knownTerms(3600) }),
    'groat buyer, on disk': buyer({ purse: await sqlIntents(store) }),
  }
  const twice = async () => {
    await seller(url)
    await seller(url, { headers: { 'payment-signature': 'any' } })
  }
  try {
    const rounds = Number(process.env.GROAT_BENCH_ROUNDS ?? 15)
    const samples = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
    for (const pay of Object.values(cases)) await each(pay, WARM_UP)
    await each(twice, WARM_UP)
    for (let round = 0; round < rounds; round++) {
      const floor = await each(twice, 100)
      for (const [name, pay] of Object.entries(cases)) {
        const { ms, cpu, until } = await each(pay, 100)
        samples[name].push({ ms: ms - floor.ms, cpu: cpu - floor.cpu, until })
      }
    }
    const rates = Object.entries(samples).map(([name, each]) => [name, each.map(({ ms }) => 1000 / ms)])
    printTable('402 to the signed retry, no network', summarize(Object.fromEntries(rates)))
    for (const [name, own] of Object.entries(samples)) {
      const told = ['until', 'ms', 'cpu'].map((what) => {
        const shares = own.map((sample, round) => sample[what] / samples['official fetch'][round][what])
        return `${names[what]} ${median(own.map((sample) => sample[what])).toFixed(3)} ms, ${median(shares).toFixed(2)}x`
      })
      console.log(`  ${name.padEnd(36)} ${told.join('   ')}`)
    }
  } finally {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

const names = { until: 'until the retry', ms: 'the whole', cpu: 'processor' }

/** Payments before anything counts: so many that both are compiled. */
const WARM_UP = Number(process.env.GROAT_BENCH_WARM_UP ?? 2_000)

/** Milliseconds of one payment, over so many. */
async function each(pay, count) {
  const [start, used] = [performance.now(), process.cpuUsage()]
  waited = 0
  for (let at = 0; at < count; at++) {
    const response = await pay(url)
    if (response !== undefined && response.status !== 200) throw new Error(`answered ${response.status}`)
  }
  const { user, system } = process.cpuUsage(used)
  const ms = (performance.now() - start) / count
  return { ms, cpu: (user + system) / 1000 / count, until: waited / count }
}

/** Milliseconds from each 402 to its retry, in all; nothing where terms were known. */
let waited = 0
let asked = 0

const required = Buffer.from(
  JSON.stringify({ x402Version: 2, error: 'payment_required', accepts: [samplePayment.accepted] }),
).toString('base64')
const receipt = { success: true, payer: '', transaction: `0x${'1'.repeat(64)}`, network: 'eip155:84532' }
const settled = Buffer.from(JSON.stringify(receipt)).toString('base64')

async function seller(input, init) {
  const headers = new Headers(init?.headers ?? input?.headers)
  if (headers.has('payment-signature')) {
    if (asked > 0) waited += performance.now() - asked
    asked = 0
    return new Response('{}', { headers: { 'PAYMENT-RESPONSE': settled } })
  }
  asked = performance.now()
  return new Response('{}', { status: 402, headers: { 'PAYMENT-REQUIRED': required } })
}
