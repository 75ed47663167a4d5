import { startPostgres } from '../lib/postgres.mjs'
import { summarize } from '../lib/round-robin.mjs'
import { printTable } from '../lib/table.mjs'
import { startWorld } from '../load/world.mjs'

const ROUNDS = 3
const IN_FLIGHT = 32
const PAYMENTS = 480
const WARM_UP = 64

/** Settlements a second by one facilitator and by two on one PostgreSQL, with the same two signers and a block a second; audited after each. */
export async function run() {
  const postgres = await startPostgres()
  const rates = { 'one replica': [], 'two replicas': [] }
  let doubles = 0
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const [at, name] of Object.keys(rates).entries()) {
        const { rate, extra } = await measure(await postgres.database(), at + 1)
        rates[name].push(rate)
        doubles += extra
      }
    }
  } finally {
    await postgres.remove()
  }
  printTable(`settle on one PostgreSQL, ${IN_FLIGHT} in flight for each replica`, summarize(rates))
  console.log(`  settled twice, or against a law of the journal: ${doubles}`)
}

async function measure(target, replicas) {
  const world = await startWorld({ target, replicas, signers: 2, payers: 16 })
  try {
    const bodies = []
    for (let made = 0; made < WARM_UP + PAYMENTS; made++) bodies.push(await world.sign())
    await inFlight(bodies.splice(0, WARM_UP), replicas, world)
    const begin = performance.now()
    await inFlight(bodies, replicas, world)
    const rate = PAYMENTS / ((performance.now() - begin) / 1000)
    const { laws, settled } = await world.audit()
    const broken = Object.values(laws).filter(({ ok }) => !ok).length
    return { rate, extra: broken + Math.abs(settled - WARM_UP - PAYMENTS) }
  } finally {
    await world.close()
  }
}

async function inFlight(bodies, replicas, world) {
  const queue = [...bodies]
  const worker = async () => {
    for (let body = queue.pop(); body !== undefined; body = queue.pop()) {
      // The same payment again until it is settled, never another one.
      while ((await world.present(body))?.body?.success !== true)
        await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT * replicas }, worker))
}
