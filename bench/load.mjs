// npm run load -- NAME [--seconds N] [--rate N] [--payments N] [--seed N]: one run of the load plan, with real processes on a real chain, ended by an audit.
import { readRun, runs, sayInstead } from './load/runs.mjs'

const { name, numbers, ...instead } = readRun(process.argv.slice(2))
if (name === undefined) sayInstead(instead)
else await runIt()

async function runIt() {
  console.log(`${name}: ${runs[name].shape}`)
  const { plans } = await import('./load/plans.mjs')
  const report = await plans[name](numbers)
  for (const [law, { ok, said }] of Object.entries(report.laws))
    console.log(`  ${ok ? 'ok  ' : 'FAIL'}  ${law}: ${said}`)
  for (const [figure, value] of Object.entries(report.figures)) console.log(`        ${figure}: ${value}`)
  const failed = Object.values(report.laws).filter(({ ok }) => !ok).length
  console.log(failed === 0 ? `${name} passed` : `${name} failed: ${failed} laws`)
  process.exit(failed === 0 ? 0 : 1)
}
