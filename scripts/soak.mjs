// npm run conform:soak [-- --times N --seed N --target FILE]: the core profile against our own facilitator, or another target, once for
// each of N seeds. Whatever does not pass every time is named with its seeds; every result stays in .groat/soak.
import './lib/require-node.mjs'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureRunnable } from './lib/build.mjs'
import { conform, resultsIn, summaryIn } from './lib/conform.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { mainWith } from './lib/numbers.mjs'
import { root } from './lib/root.mjs'
import { readFlakes } from './lib/soak.mjs'

await mainWith(
  {
    usage: 'npm run conform:soak [-- --times N --seed N --target FILE]',
    kinds: { times: 'count', seed: 'seed', target: 'text' },
  },
  soak,
)

async function soak({ numbers, texts }) {
  const { times = 20, seed: first = 1 } = numbers
  const { target = join(root, 'conformance/targets/ours/x402-target.json') } = texts
  await ensureInstalled(fullScope)
  await ensureRunnable('@groat/cli')
  const runs = []
  for (let at = 0; at < times; at += 1) {
    const seed = first + at
    const report = join(root, '.groat/soak', String(seed))
    rmSync(report, { recursive: true, force: true })
    const args = ['--target', target, '--seed', String(seed), '--report', report]
    const { code, late } = await conform(args, { minutes: 10, quiet: true })
    const { ms = 0, counts = {} } = summaryIn(report) ?? {}
    const score = Object.entries(counts).flatMap(([status, count]) => (count > 0 ? [`${count} ${status}`] : []))
    const said = late ? 'did not end within 10 minutes' : summaryIn(report) ? score.join(', ') : `broke off (${code})`
    process.stdout.write(`seed ${seed}  ${said}  ${(ms / 1000).toFixed(1)} s\n`)
    runs.push({ seed, ended: summaryIn(report) !== undefined, results: resultsIn(report) })
  }
  const flakes = readFlakes(runs)
  for (const { check, seeds, what } of flakes) process.stdout.write(`${check}  seeds ${seeds.join(', ')}  ${what}\n`)
  process.stdout.write(`${flakes.length} checks did not pass every time in ${times} runs\n`)
  process.exitCode = flakes.length > 0 || runs.some(({ ended }) => !ended) ? 1 : 0
}
