import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { network, paymentId, requirementsId } from '@groat/core'
import { openStore } from '@groat/store'
import { readTypeScript, startPostgres } from '../lib/postgres.mjs'

/** Payments at once; one at a time shows what a write takes, many show what it waits for others besides. */
const IN_FLIGHT = [1, 32]
const PAYMENTS = 1500
const WARM_UP = 3000
/** Payments before each that is measured: how it goes for a service that has run for a while. */
const SETTLE_IN = 500
const NETWORK = network('base-sepolia')
const SIGNER = '0xf1'

/** What a commit of one payment that is signed for adds to SQLite's log, about. */
const COMMIT_BYTES = 32 * 1024
const SYNCS = 500

/** What every write of a payment waits for the journal: claimed, signed, settled, each in the journal before the next. */
export async function run() {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const postgres = await startPostgres()
  try {
    const disk = await measureDisk(join(folder, 'log'))
    const measured = {
      SQLite: await measure(join(folder, 'pay.db')),
      PostgreSQL: await measure(await postgres.database()),
    }
    console.log('\nthe journal, milliseconds a write; the aim at the 99th percentile: 2 on SQLite, 10 on PostgreSQL')
    console.log(`  the disk     1 at once   ${percentiles(disk)}   alone, for what one write in three waits for`)
    for (const [name, rounds] of Object.entries(measured)) {
      for (const { atOnce, times, rate } of rounds) {
        const payments = `${Math.round(rate).toLocaleString('en').padStart(5)} payments a second`
        console.log(`  ${name.padEnd(10)}  ${String(atOnce).padStart(2)} at once   ${percentiles(times)}   ${payments}`)
      }
    }
  } finally {
    await postgres.remove()
    await rm(folder, { recursive: true })
  }
}

/** The disk by itself: as much as a commit, at the end of a file that is there, until it is safe. */
async function measureDisk(file) {
  const log = await open(file, 'w')
  const bytes = Buffer.alloc(COMMIT_BYTES, 1)
  const times = []
  for (const isTimed of [false, true]) {
    for (let turn = 0; turn < SYNCS; turn++) {
      await log.write(bytes, 0, COMMIT_BYTES, turn * COMMIT_BYTES)
      const begin = performance.now()
      await log.datasync()
      if (isTimed) times.push(performance.now() - begin)
    }
  }
  await log.close()
  return times.sort((a, b) => a - b)
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
      const { record, means } = await timed(journal.claim(claimOf(number), 'bench'))
      const hash = `0x${number.toString(16).padStart(64, '0')}`
      // A nonce that another took on the way to the journal is asked for again, as a lane does.
      const transaction = { hash, signer: SIGNER, nonce: BigInt(next++), raw: `0x${'ab'.repeat(300)}`, details: {} }
      const [signed] = await timed(journal.signed([{ record, ...means }], transaction, hold))
      const block = { blockNumber: 7n, blockHash: hash, amount: 1000n, fee: 5n }
      await timed(journal.settled(signed, { transaction: hash, logIndex: 0, ...block }))
    }
    let from = 0
    const work = async (atOnce, payments) => {
      const times = []
      const begin = performance.now()
      await inFlight(atOnce, from, payments, (number) => settle(number, times))
      from += payments
      return { atOnce, times: times.sort((a, b) => a - b), rate: payments / ((performance.now() - begin) / 1000) }
    }
    await work(Math.max(...IN_FLIGHT), WARM_UP)
    const rounds = []
    for (const atOnce of IN_FLIGHT) {
      await work(atOnce, SETTLE_IN)
      rounds.push(await work(atOnce, PAYMENTS))
    }
    return rounds
  } finally {
    await store.close()
  }
}

async function inFlight(atOnce, from, count, work) {
  let next = from
  const worker = async () => {
    while (next < from + count) await work(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

function percentiles(times) {
  return [0.5, 0.9, 0.99].map((share) => `p${share * 100} ${at(times, share).toFixed(2).padStart(5)}`).join('   ')
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
