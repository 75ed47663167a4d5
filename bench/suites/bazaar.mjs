import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCatalogue } from '@groat/facilitator/bazaar'
import { openStore } from '@groat/store'
import { fillCatalogue } from '../lib/listings.mjs'
import { startPostgres } from '../lib/postgres.mjs'

const LISTINGS = Number(process.env.GROAT_BENCH_LISTINGS ?? 100_000)
const ROUNDS = Number(process.env.GROAT_BENCH_ROUNDS ?? 100)

/** What a caller waits for, in milliseconds: one question at a time, each another one. */
export async function run() {
  const folder = mkdtempSync(join(tmpdir(), 'groat-bench-bazaar-'))
  const postgres = process.env.GROAT_BENCH_POSTGRES ? undefined : await startPostgres()
  const targets = { SQLite: join(folder, 'pay.db'), PostgreSQL: process.env.GROAT_BENCH_POSTGRES ?? postgres.url }
  try {
    for (const [name, target] of Object.entries(targets)) {
      const store = await openStore(target)
      const catalogue = createCatalogue({ store })
      await catalogue.start()
      await fillCatalogue(store, LISTINGS)
      console.log(`\ncatalogue of ${LISTINGS.toLocaleString('en')} listings on ${name}, ${ROUNDS} rounds`)
      for (const [question, ask] of Object.entries(questions(catalogue))) await time(question, ask)
      await catalogue.stop()
      await store.close()
    }
  } finally {
    await postgres?.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

const TOPICS = ['weather', 'price', 'news', 'map', 'music', 'tax', 'law', 'image', 'voice', 'train']

function questions(catalogue) {
  const topic = (n) => TOPICS[n % TOPICS.length]
  return {
    'search, one word of a tenth': (n) => catalogue.search({ query: topic(n), limit: 20 }),
    'search, two words': (n) => catalogue.search({ query: `${topic(n)} city${n % 1000}`, limit: 20 }),
    'search, a beginning, filtered': (n) =>
      catalogue.search({ query: topic(n).slice(0, 3), network: 'eip155:8453', type: 'http', limit: 20 }),
    'search, nothing there': (n) => catalogue.search({ query: `nothing${n}`, limit: 20 }),
    'list, first page with its total': () => catalogue.list({ limit: 20, offset: 0 }),
    'list, filtered, far inside': (n) =>
      catalogue.list({ network: 'eip155:8453', limit: 20, offset: (n * 97) % (LISTINGS / 4) }),
    why: (n) => catalogue.why({ resource: `https://shop${n % 1000}.example/never` }),
  }
}

async function time(question, ask) {
  for (let n = 0; n < 5; n++) await ask(n)
  const times = []
  for (let n = 0; n < ROUNDS; n++) {
    const began = performance.now()
    await ask(n)
    times.push(performance.now() - began)
  }
  times.sort((a, b) => a - b)
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))].toFixed(1).padStart(7)
  console.log(`  ${question.padEnd(34)} median ${at(0.5)} ms   p95 ${at(0.95)} ms   worst ${at(1)} ms`)
}
