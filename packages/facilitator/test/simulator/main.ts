// What `npm run simulate` and the load plan start, with numbers that are some: the engine against a world in memory, one run for each seed.
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Played } from './player.js'

const say = (text: string) => process.stdout.write(`${text}\n`)
const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '60' },
    seconds: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
  },
})
const [seeds, first, steps, jobs] = [values.seeds, values.seed, values.steps, values.jobs].map(Number) as [
  number,
  number,
  number,
  number,
]
const until =
  values.seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(values.seconds) * 1000
const passed = new Map<string, number>()
const failed: number[] = []
const begin = performance.now()
const sum = { runs: 0, payments: 0, events: 0, virtualMs: 0 }
const NOTHING = { payments: 0, events: 0, virtualMs: 0 }
const LEGEND = `           FP-01 and so on: a point where a process may be killed, and \`crash\` before it: one was
           claimed → signed and so on: a step of a payment; everything else: what was done to the world
           FP-11, a webhook that was taken, is not among them: nobody is told anything here, and crash.test.ts kills there`
let next = first
let saidAt = begin

await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs, seeds)) }, work))
const seconds = (performance.now() - begin) / 1000
say(table())
say(
  `${sum.runs} runs, ${sum.payments} payments, ${sum.events.toLocaleString('en')} events, ${(sum.virtualMs / 3_600_000).toFixed(1)} hours of virtual time in ${seconds.toFixed(1)} s: ${aMinute(sum.runs)} runs and ${aMinute(sum.events)} events a minute`,
)
if (sum.runs === 0) say('simulate failed: it played nothing')
else say(failed.length === 0 ? 'simulate passed' : `simulate failed: seeds ${failed.join(', ')}`)
process.exitCode = sum.runs > 0 && failed.length === 0 ? 0 : 1

/** What the runs came past, and how many of them did: what none came past was not tried. */
function table(): string {
  const rows = [...passed].sort().map(([what, count]) => `  ${String(count).padStart(7)}  ${what}`)
  return ['     runs  that came past', ...rows, LEGEND].join('\n')
}

/** One process plays one seed after the other; where it ends by itself, the seed is to blame, and another process goes on. */
async function work(): Promise<void> {
  let player = startPlayer()
  while (next < first + seeds && performance.now() < until) {
    const seed = next
    next += 1
    const run = await play(player, seed)
    if (run === undefined) player = startPlayer()
    note(seed, run)
  }
  player.disconnect()
}

function startPlayer(): ChildProcess {
  // What this process was started with reads TypeScript.
  return fork(fileURLToPath(new URL('player.ts', import.meta.url)))
}

function play(player: ChildProcess, seed: number): Promise<Played | undefined> {
  return new Promise((resolve) => {
    const end = () => resolve(undefined)
    player.once('exit', end)
    player.once('message', (run: Played) => {
      player.off('exit', end)
      resolve(run)
    })
    player.send({ seed, steps })
  })
}

function note(seed: number, run: Played | undefined): void {
  const { broken, payments, events, virtualMs } = run ?? { ...NOTHING, broken: ['the process that played it'] }
  sum.runs += 1
  sum.payments += payments
  sum.events += events
  sum.virtualMs += virtualMs
  for (const what of run?.passed ?? []) passed.set(what, (passed.get(what) ?? 0) + 1)
  if (broken.length > 0) {
    failed.push(seed)
    say(`seed ${seed} breaks ${broken.slice(0, 4).join('\n  ')}`)
    say(`  again: npm run simulate -- --seed ${seed} --seeds 1 --steps ${steps}`)
  }
  if (performance.now() - saidAt < 10_000) return
  saidAt = performance.now()
  say(`${sum.runs} runs, ${failed.length} broken, ${aMinute(sum.runs)} a minute`)
}

function aMinute(count: number): string {
  return Math.round((count / (performance.now() - begin)) * 60_000).toLocaleString('en')
}
