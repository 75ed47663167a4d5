import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEvmChain } from '@groat/sandbox'
import { createPayers } from '../lib/payers.mjs'
import { createPoster } from '../lib/post.mjs'
import { startProcess } from '../lib/processes.mjs'
import { summarize } from '../lib/round-robin.mjs'
import { printTable } from '../lib/table.mjs'

const ROUNDS = 3
/** Payments that are verified and settled, by how many are in flight. */
const MEASURED = {
  1: { verify: 400, settle: 100 },
  8: { verify: 1200, settle: 240 },
  32: { verify: 2400, settle: 480 },
}
/**
 * Payments that go before them unmeasured, so many at a time: a facilitator serves for days, not for its first second. Fewer are settled than
 * verified, because the chain slows down with its blocks, of which the two need very different numbers.
 */
const WARM_UP = { verify: 3000, settle: 400, inFlight: 16 }
/** After this a seller has given up: the payment counts as not settled. Milliseconds. */
const PATIENCE = 5_000

const facilitators = {
  official: new URL('../lib/official-facilitator.mjs', import.meta.url),
  groat: new URL('../lib/groat-facilitator.mjs', import.meta.url),
}

/**
 * Verify and settle on a real chain, a fresh one for each row, by facilitators in processes of their own. Official: with a nonce manager
 * and batched HTTP. A rate counts what was answered well; what was not is told below the table, because a nonce that is lost holds up all
 * that follow it.
 */
export async function run() {
  for (const [inFlight, counts] of Object.entries(MEASURED)) {
    const rates = { verify: { official: [], groat: [] }, settle: { official: [], groat: [] } }
    const lost = { official: 0, groat: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of Object.keys(facilitators)) {
        const { rate, failed } = await measure(facilitators[name], counts, Number(inFlight))
        rates.verify[name].push(rate.verify)
        rates.settle[name].push(rate.settle)
        lost[name] += failed
      }
    }
    printTable(`verify on anvil, ${inFlight} in flight`, summarize(rates.verify))
    printTable(`settle on anvil, ${inFlight} in flight (journal on)`, summarize(rates.settle))
    console.log(`  not settled: official ${lost.official}, groat ${lost.groat} of ${counts.settle * ROUNDS}`)
  }
}

async function measure(module, counts, inFlight) {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const chain = await startEvmChain()
  const keys = [chain.account('facilitator').privateKey]
  const { network, rpcUrl: rpc } = chain
  // Ours hands transactions in as a node takes them that answers with the receipt; the published one cannot.
  const chainOptions = { sendAndWait: true }
  const facilitator = await startProcess(module, { rpc, network, keys, store: join(folder, 'pay.db'), chainOptions })
  const poster = createPoster({ timeout: PATIENCE })
  try {
    const payers = await createPayers(chain, 8)
    const timed = async (path, bodies, good, atOnce = inFlight) => {
      const queue = [...bodies]
      let failed = 0
      const begin = performance.now()
      const worker = async () => {
        for (let body = queue.pop(); body !== undefined; body = queue.pop()) {
          const well = await poster.post(facilitator.url + path, body).then(
            ({ body }) => good(body),
            () => false,
          )
          if (!well) failed++
        }
      }
      await Promise.all(Array.from({ length: atOnce }, worker))
      return { failed, rate: (bodies.length - failed) / ((performance.now() - begin) / 1000) }
    }
    const isValid = (body) => body.isValid
    const isSettled = (body) => body.success
    const first = await payers.requests(WARM_UP.verify)
    await timed('/verify', first, isValid, WARM_UP.inFlight)
    await timed('/settle', first.slice(0, WARM_UP.settle), isSettled, WARM_UP.inFlight)
    const bodies = await payers.requests(counts.verify)
    const verify = await timed('/verify', bodies, isValid)
    const settle = await timed('/settle', bodies.slice(0, counts.settle), isSettled)
    return { rate: { verify: verify.rate, settle: settle.rate }, failed: settle.failed }
  } finally {
    poster.close()
    await facilitator.stop()
    await chain.stop()
    await rm(folder, { recursive: true })
  }
}
