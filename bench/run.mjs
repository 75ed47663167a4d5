// npm run bench [-- NAME ...]: ours against the published packages, in one process group, as ratios.
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { readSuites } from './lib/asked.mjs'
import { sayInstead } from './load/runs.mjs'

const { names, ...instead } = readSuites(process.argv.slice(2))
if (names === undefined) sayInstead(instead)
else await runThem()

async function runThem() {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  console.log(`${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.versions.node}, commit ${commit}`)
  console.log(
    'Median over interleaved rounds; ratios are medians of per-round ratios, above 1x is faster than the first row.',
  )
  for (const name of names) {
    const { run } = await import(`./suites/${name}.mjs`)
    await run()
  }
}
