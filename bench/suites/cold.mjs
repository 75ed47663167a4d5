import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { median } from '../lib/round-robin.mjs'

const program = fileURLToPath(new URL('../lib/cold-payer.mjs', import.meta.url))
const names = {
  official: 'official fetch',
  noble: 'groat, noble engine',
  native: 'groat, native engine',
  buyer: 'groat buyer, noble engine, budgets in memory',
  disk: 'groat buyer, noble engine, a new purse on disk',
}
const ROUNDS = Number(process.env.GROAT_BENCH_ROUNDS ?? 9)

/** What a fresh process takes to load a payer and to make its first payment, in time and in processor time. The seller is in the process: no network, no TLS. */
export async function run() {
  const folder = await mkdtemp(join(tmpdir(), 'groat-cold-'))
  const times = Object.fromEntries(Object.keys(names).map((name) => [name, []]))
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of Object.keys(names)) {
        const args = [program, name, join(folder, `${name}-${round}.db`)]
        const { stdout } = await promisify(execFile)(process.execPath, args)
        times[name].push(JSON.parse(stdout))
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  console.log('\nfirst payment in a fresh process, milliseconds (median; least)')
  const width = Math.max(...Object.values(names).map(({ length }) => length))
  const of = (name, read) => times[name].map(read)
  const all = ({ load, first }) => load + first
  for (const [name, title] of Object.entries(names)) {
    const against = (read) => median(of(name, read).map((ms, round) => ms / read(times.official[round])))
    const [load, first, both] = [({ load: ms }) => ms, ({ first: ms }) => ms, all].map((read) => median(of(name, read)))
    console.log(
      `  ${title.padEnd(width)}   load ${load.toFixed(0).padStart(4)}   first payment ${first.toFixed(0).padStart(4)}   together ${both
        .toFixed(0)
        .padStart(
          4,
        )} (${Math.min(...of(name, all)).toFixed(0)})   ${against(all).toFixed(2)}x the time, ${against(({ cpu }) => cpu).toFixed(2)}x the processor`,
    )
  }
}
