import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { network, paymentId, requirementsId } from '@groat/core'
import { openStore } from '@groat/store'
import { readTypeScript, startPostgres } from '../lib/postgres.mjs'

const IN_FLIGHT = 32
const PAYMENTS = 1500
const WARM_UP = 300
const NETWORK = network('base-sepolia')
const SIGNER = '0xf1'

/** What every write of a payment waits for the journal, 32 payments at once: claimed, signed, settled, each durable before the next. */
export async function run() {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const postgres = await startPostgres()
  try {
    const [sqlite, pg] = [await measure(join(folder, 'pay.db')), await measure(await postgres.database())]
    console.log(
      `\nthe journal, ${IN_FLIGHT} payments at once, milliseconds a write; the aim at the 99th percentile: 2 and 10`,
    )
    for (const [name, { times, rate }] of Object.entries({ SQLite: sqlite, PostgreSQL: pg })) {
      const ratio = (rate / sqlite.rate).toFixed(2)
      const line = [0.5, 0.9, 0.99].map((share) => `p${share * 100} ${at(times, share).toFixed(2)}`).join('   ')
      console.log(
        `  ${name.padEnd(10)}   ${line}   ${Math.round(rate).toLocaleString('en')} payments a second   ${ratio}x`,
      )
    }
  } finally {
    await postgres.remove()
    await rm(folder, { recursive: true })
  }
}

async function measure(target) {
  readTypeScript()
  // The journal is nobody's interface, so there is no package to have it from.
  const { createJournal } = await import('../../packages/facilitator/src/journal/journal.ts')
  const store = await openStore(target)
  const limits = { open: 1_000_000, failures: 5 }
  const journal = createJournal({ store, clock: Date.now, replica: 'bench', limits })
  try {
    await journal.migrate()
    await journal.leases.renew(600_000)
    const hold = await journal.leases.acquire(NETWORK, SIGNER, 600_000)
    let next = 0
    const settle = async (number, times) => {
      const timed = async (work) => {
        const begin = performance.now()
        const answer = await work
        times.push(performance.now() - begin)
        return answer
      }
      const { record } = await timed(journal.claim(claimOf(number), 'bench'))
      const hash = `0x${number.toString(16).padStart(64, '0')}`
      // A nonce that another took on the way to the journal is asked for again, as a lane does.
      const transaction = { hash, signer: SIGNER, nonce: BigInt(next++), raw: `0x${'ab'.repeat(300)}`, details: {} }
      const [signed] = await timed(journal.signed([record], transaction, hold))
      const block = { blockNumber: 7n, blockHash: hash, amount: 1000n, fee: 5n }
      await timed(journal.settled(signed, { transaction: hash, logIndex: 0, ...block }))
    }
    await inFlight(0, WARM_UP, (number) => settle(number, []))
    const times = []
    const begin = performance.now()
    await inFlight(WARM_UP, PAYMENTS, (number) => settle(number, times))
    return { times: times.sort((a, b) => a - b), rate: PAYMENTS / ((performance.now() - begin) / 1000) }
  } finally {
    await store.close()
  }
}

async function inFlight(from, count, work) {
  let next = from
  const worker = async () => {
    while (next < from + count) await work(next++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]

/** As large as a request by EIP-3009 is; of one of 64 payers. */
function claimOf(number) {
  const payer = `0x${(number % 64).toString(16).padStart(40, '0')}`
  const payload = { nonce: number, signature: `0x${'cd'.repeat(65)}`, more: 'x'.repeat(700) }
  const terms = { scheme: 'exact', network: NETWORK, amount: 1000n, asset: '0x01', payTo: '0x02', extra: {} }
  const requirements = { ...terms, maxTimeoutSeconds: 60 }
  const payment = { x402Version: 2, scheme: 'exact', network: NETWORK, payload }
  return {
    pid: paymentId([NETWORK, String(number)]),
    rid: requirementsId(requirements),
    payer,
    expiresAt: Math.floor(Date.now() / 1000) + 600,
    request: { payment, requirements },
    requestText: JSON.stringify(payment),
  }
}
