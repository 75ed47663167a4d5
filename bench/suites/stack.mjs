import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEvmChain } from '@groat/sandbox'
import { createPayers, PRICE } from '../lib/payers.mjs'
import { createPoster } from '../lib/post.mjs'
import { startProcess } from '../lib/processes.mjs'
import { summarize } from '../lib/round-robin.mjs'
import { printTable } from '../lib/table.mjs'
import { STUCK, warmRounds } from '../lib/warm-rounds.mjs'

const ROUNDS = 3
/** Paid requests that are measured, by how many are in flight. */
const REQUESTS = { 1: 100, 8: 240, 32: 480 }
/** Paid requests that go before them unmeasured, so many at a time: a shop serves for days, not for its first seconds. */
const WARM_UP = { requests: 2000, inFlight: 8 }
/** Milliseconds after which a buyer has given up. */
const PATIENCE = 5_000

const module = (name) => new URL(`../lib/${name}.mjs`, import.meta.url)

/**
 * Paid requests through everything: load, a shop on Express, a facilitator, a chain, each in a process of its own and fresh for each round, with one
 * in flight first and then more. Payments are signed before. A rate counts what was served; what was not is told below the table.
 */
export async function run() {
  const levels = Object.entries(REQUESTS).map(([inFlight, count]) => ({
    inFlight: Number(inFlight),
    count,
    rates: { official: [], groat: [] },
    lost: { official: 0, groat: 0 },
  }))
  await warmRounds('stack', {
    rounds: ROUNDS,
    names: ['official', 'groat'],
    measure: (kind, anyway) => measure(kind, levels, anyway),
  })
  for (const { inFlight, count, rates, lost } of levels) {
    printTable(`paid requests through the whole stack, ${inFlight} in flight (journal on)`, summarize(rates))
    console.log(`  not served: official ${lost.official}, groat ${lost.groat} of ${count * ROUNDS}`)
  }
}

/** Whether it was warm, and so was measured; `anyway`: warm or not. */
async function measure(kind, levels, anyway) {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const chain = await startEvmChain()
  const keys = [chain.account('facilitator').privateKey]
  const { network, rpcUrl: rpc } = chain
  const chainOptions = { sendAndWait: true }
  const settings = { rpc, network, keys, store: join(folder, 'pay.db'), chainOptions }
  const facilitator = await startProcess(module(`${kind}-facilitator`), settings)
  const payTo = chain.account('seller').address
  const price = `$${Number(PRICE) / 1e6}`
  const shop = await startProcess(module('shop'), { kind, facilitator: facilitator.url, network, payTo, price })
  const poster = createPoster({ timeout: PATIENCE })
  try {
    const url = `${shop.url}/paid`
    const payers = await createPayers(chain, 8, await challengeOf(url))
    const timed = async (count, inFlight, enough = Number.POSITIVE_INFINITY) => {
      const queue = await payers.headers(count)
      let failed = 0
      const begin = performance.now()
      const worker = async () => {
        for (let headers = queue.pop(); headers !== undefined && failed < enough; headers = queue.pop()) {
          const { status } = await poster.get(url, headers).catch(() => ({ status: 0 }))
          if (status !== 200) failed++
        }
      }
      await Promise.all(Array.from({ length: inFlight }, worker))
      return { failed, rate: (count - failed) / ((performance.now() - begin) / 1000) }
    }
    const warm = await timed(WARM_UP.requests, WARM_UP.inFlight, STUCK)
    if (warm.failed >= STUCK && !anyway) return false
    for (const { inFlight, count, rates, lost } of levels) {
      const { rate, failed } = await timed(count, inFlight)
      rates[kind].push(rate)
      lost[kind] += failed
    }
    return true
  } finally {
    poster.close()
    await shop.stop()
    await facilitator.stop()
    await chain.stop()
    await rm(folder, { recursive: true })
  }
}

/** What the shop asks for, as it asks for it. */
async function challengeOf(url) {
  const header = (await fetch(url)).headers.get('payment-required')
  return JSON.parse(Buffer.from(header, 'base64').toString())
}
