// npm run bench [-- NAME ...]: ours against the published packages, in one process group, as ratios.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { cpus } from 'node:os'

const all = readdirSync(new URL('./suites', import.meta.url))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.replace('.mjs', ''))
const wanted = process.argv.slice(2).filter((arg) => arg !== '--')
const unknown = wanted.filter((name) => !all.includes(name))
if (unknown.length > 0) {
  console.error(`No benchmark is called ${unknown.join(', ')}. There are: ${all.join(', ')}`)
  process.exit(2)
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
console.log(`${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.versions.node}, commit ${commit}`)
console.log(
  'Median over interleaved rounds; ratios are medians of per-round ratios, above 1x is faster than the first row.',
)
for (const name of wanted.length > 0 ? wanted : all) {
  const { run } = await import(`./suites/${name}.mjs`)
  await run()
}
