// npm run load -- NAME [--seconds N] [--rate N] [--seed N]: one run of the load plan, with real processes on a real chain, ended by an audit.
import { parseArgs } from 'node:util'
import { plans } from './load/plans.mjs'

const { values, positionals } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  allowPositionals: true,
  options: { seconds: { type: 'string' }, rate: { type: 'string' }, seed: { type: 'string' } },
})
const [name = ''] = positionals
const plan = plans[name]
if (plan === undefined) {
  console.error(`No load run is called ${JSON.stringify(name)}. There are: ${Object.keys(plans).join(', ')}`)
  process.exit(2)
}
const settings = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value)]))
console.log(`${name}: ${plan.shape}`)
const report = await plan.run({ seed: 1, ...settings })
for (const [law, { ok, said }] of Object.entries(report.laws)) console.log(`  ${ok ? 'ok  ' : 'FAIL'}  ${law}: ${said}`)
for (const [figure, value] of Object.entries(report.figures)) console.log(`        ${figure}: ${value}`)
const failed = Object.values(report.laws).filter(({ ok }) => !ok).length
console.log(failed === 0 ? `${name} passed` : `${name} failed: ${failed} laws`)
process.exit(failed === 0 ? 0 : 1)
