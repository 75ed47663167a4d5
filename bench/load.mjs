// npm run load -- NAME [--seconds N] [--rate N] [--seed N]: one run of the load plan, with real processes on a real chain, ended by an audit.
import { readNumbers } from '../scripts/lib/numbers.mjs'
import { plans } from './load/plans.mjs'

const usage = `npm run load -- NAME [--seconds N] [--rate N] [--payments N] [--seed N]

${Object.entries(plans)
  .map(([name, { shape }]) => `  ${name}  ${shape}`)
  .join('\n')}
`
const { wrong, numbers, names, help } = readNumbers(process.argv.slice(2), {
  ...{ seconds: 'amount', rate: 'amount', payments: 'count', seed: 'seed' },
})
if (wrong !== undefined) {
  console.error(`${wrong}\n\n${usage}`)
  process.exit(2)
}
if (help) {
  console.log(usage)
  process.exit(0)
}
const [name = ''] = names
const plan = plans[name]
if (plan === undefined) {
  console.error(`${name === '' ? 'Which run?' : `No run is called ${JSON.stringify(name)}.`}\n\n${usage}`)
  process.exit(2)
}
console.log(`${name}: ${plan.shape}`)
const report = await plan.run({ seed: 1, ...numbers })
for (const [law, { ok, said }] of Object.entries(report.laws)) console.log(`  ${ok ? 'ok  ' : 'FAIL'}  ${law}: ${said}`)
for (const [figure, value] of Object.entries(report.figures)) console.log(`        ${figure}: ${value}`)
const failed = Object.values(report.laws).filter(({ ok }) => !ok).length
console.log(failed === 0 ? `${name} passed` : `${name} failed: ${failed} laws`)
process.exit(failed === 0 ? 0 : 1)
