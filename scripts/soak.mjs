// npm run conform:soak [-- --times N --seed N --target FILE]: the core profile against our own facilitator, or another target, once for
// each of N seeds. Whatever does not pass every time is named with its seeds; every result stays in .groat/soak.
import './lib/require-node.mjs'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureRunnable } from './lib/build.mjs'
import { conform, resultsIn, summaryIn } from './lib/conform.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { Failure, main } from './lib/progress.mjs'
import { root } from './lib/root.mjs'
import { readFlakes } from './lib/soak.mjs'

await main(async () => {
  const { values } = parseArgs({
    options: {
      times: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      target: { type: 'string', default: join(root, 'conformance/targets/ours/x402-target.json') },
    },
  })
  const [times, first] = [Number(values.times), Number(values.seed)]
  if (!(times > 0) || !Number.isInteger(first)) throw new Failure('groat: --times and --seed are whole numbers')
  await ensureInstalled(fullScope)
  await ensureRunnable('@groat/cli')
  const runs = []
  for (let at = 0; at < times; at += 1) {
    const seed = first + at
    const report = join(root, '.groat/soak', String(seed))
    rmSync(report, { recursive: true, force: true })
    const args = ['--target', values.target, '--seed', String(seed), '--report', report]
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
})
