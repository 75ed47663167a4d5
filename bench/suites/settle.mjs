import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEvmChain } from '@groat/sandbox'
import { createPayers } from '../lib/payers.mjs'
import { createPoster } from '../lib/post.mjs'
import { startProcess } from '../lib/processes.mjs'
import { summarize } from '../lib/round-robin.mjs'
import { printTable } from '../lib/table.mjs'
import { STUCK, warmRounds } from '../lib/warm-rounds.mjs'

const ROUNDS = 3
/** Payments that are verified and settled, by how many are in flight. */
const MEASURED = {
  1: { verify: 400, settle: 100 },
  8: { verify: 1200, settle: 240 },
  32: { verify: 2400, settle: 480 },
}
/** Payments that go before them unmeasured, so many at a time: a facilitator serves for days, not for its first seconds. */
const WARM_UP = { verify: 3000, settle: 2000, inFlight: 8 }
/** After this a seller has given up: the payment counts as not settled. Milliseconds. */
const PATIENCE = 5_000

const facilitators = {
  official: new URL('../lib/official-facilitator.mjs', import.meta.url),
  groat: new URL('../lib/groat-facilitator.mjs', import.meta.url),
}

/**
 * Verify and settle on a real chain, by facilitators in processes of their own; each round has fresh ones, with one in flight first and then
 * more. Official: with a nonce manager and batched HTTP. A rate counts what was answered well; what was not is told below the table, because a
 * nonce that is lost holds up all that follow it.
 */
export async function run() {
  const levels = Object.entries(MEASURED).map(([inFlight, counts]) => ({
    inFlight: Number(inFlight),
    counts,
    rates: { verify: { official: [], groat: [] }, settle: { official: [], groat: [] } },
    lost: { official: 0, groat: 0 },
  }))
  await warmRounds('settle', {
    rounds: ROUNDS,
    names: Object.keys(facilitators),
    measure: (name, anyway) => measure(name, levels, anyway),
  })
  for (const { inFlight, counts, rates, lost } of levels) {
    printTable(`verify on anvil, ${inFlight} in flight`, summarize(rates.verify))
    printTable(`settle on anvil, ${inFlight} in flight (journal on)`, summarize(rates.settle))
    console.log(`  not settled: official ${lost.official}, groat ${lost.groat} of ${counts.settle * ROUNDS}`)
  }
}

/** Whether it was warm, and so was measured; `anyway`: warm or not. */
async function measure(name, levels, anyway) {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const chain = await startEvmChain()
  const keys = [chain.account('facilitator').privateKey]
  const { network, rpcUrl: rpc } = chain
  // Ours hands transactions in as a node takes them that answers with the receipt; the published one cannot.
  const chainOptions = { sendAndWait: true }
  const settings = { rpc, network, keys, store: join(folder, 'pay.db'), chainOptions }
  const facilitator = await startProcess(facilitators[name], settings)
  const poster = createPoster({ timeout: PATIENCE })
  try {
    const payers = await createPayers(chain, 8)
    const timed = async (path, bodies, inFlight, enough = Number.POSITIVE_INFINITY) => {
      const queue = [...bodies]
      let failed = 0
      const begin = performance.now()
      const worker = async () => {
        for (let body = queue.pop(); body !== undefined && failed < enough; body = queue.pop()) {
          const well = await poster.post(facilitator.url + path, body).then(
            ({ body }) => body.isValid ?? body.success,
            () => false,
          )
          if (!well) failed++
        }
      }
      await Promise.all(Array.from({ length: inFlight }, worker))
      return { failed, rate: (bodies.length - failed) / ((performance.now() - begin) / 1000) }
    }
    const both = async (counts, inFlight, enough) => {
      const bodies = await payers.requests(counts.verify)
      const verify = await timed('/verify', bodies, inFlight, enough)
      return { verify, settle: await timed('/settle', bodies.slice(0, counts.settle), inFlight, enough) }
    }
    const warm = await both(WARM_UP, WARM_UP.inFlight, STUCK)
    if (warm.settle.failed >= STUCK && !anyway) return false
    for (const { inFlight, counts, rates, lost } of levels) {
      const { verify, settle } = await both(counts, inFlight)
      rates.verify[name].push(verify.rate)
      rates.settle[name].push(settle.rate)
      lost[name] += settle.failed
    }
    return true
  } finally {
    poster.close()
    await facilitator.stop()
    await chain.stop()
    await rm(folder, { recursive: true })
  }
}
