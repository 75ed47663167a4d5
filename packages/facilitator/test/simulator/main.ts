// npm run simulate [-- --seeds N] [--seed S] [--steps N] [--seconds N]: the engine against a world in memory, one run for each seed.
import { parseArgs } from 'node:util'
import { openSimulator } from './world.js'

const say = (text: string) => process.stdout.write(`${text}\n`)
const USAGE = 'npm run simulate [-- --seeds N] [--seed S] [--steps N] [--seconds N]'
const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    help: { type: 'boolean' },
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '60' },
    seconds: { type: 'string' },
  },
})
if (values.help) {
  say(USAGE)
  process.exit(0)
}
const [seeds, first, steps] = [Number(values.seeds), Number(values.seed), Number(values.steps)]
const until =
  values.seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(values.seconds) * 1000
const simulator = await openSimulator()
const passed = new Map<string, number>()
const failed: number[] = []
const begin = performance.now()
let [runs, payments, virtualMs, saidAt] = [0, 0, 0, begin]
for (let seed = first; seed < first + seeds && performance.now() < until; seed++) {
  const run = await simulator.simulate(seed, { steps })
  runs += 1
  payments += run.payments
  virtualMs += run.virtualMs
  for (const what of run.passed) passed.set(what, (passed.get(what) ?? 0) + 1)
  if (run.broken.length > 0) {
    failed.push(seed)
    say(`seed ${seed} breaks ${run.broken.slice(0, 4).join('\n  ')}`)
    say(`  again: npm run simulate -- --seed ${seed} --seeds 1 --steps ${steps}`)
  }
  if (performance.now() - saidAt > 10_000) {
    saidAt = performance.now()
    say(`${runs} runs, ${failed.length} broken, ${Math.round((runs / (saidAt - begin)) * 60_000)} a minute`)
  }
}
const seconds = (performance.now() - begin) / 1000
await simulator.close()
say(
  [...passed]
    .sort()
    .map(([what, count]) => `  ${String(count).padStart(7)} ${what}`)
    .join('\n'),
)
say(
  `${runs} runs, ${payments} payments, ${(virtualMs / 3_600_000).toFixed(1)} hours of virtual time in ${seconds.toFixed(1)} s: ${Math.round((runs / seconds) * 60)} runs a minute`,
)
say(failed.length === 0 ? 'simulate passed' : `simulate failed: seeds ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
