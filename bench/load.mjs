// npm run load -- NAME [--seconds N] [--rate N] [--payments N] [--seed N]: one run of the load plan, with real processes on a real chain, ended by an audit.
import { readNumbers } from '../scripts/lib/numbers.mjs'
import { plans } from './load/plans.mjs'

const optionsOf = ({ takes }) =>
  Object.entries(takes)
    .map(([option, unlessTold]) => `--${option} ${unlessTold}`)
    .join(' ')
const usage = `npm run load -- NAME [OPTION N]...

${Object.entries(plans)
  .map(([name, plan]) => `  ${name}  ${plan.shape}\n      ${optionsOf(plan)}`)
  .join('\n')}

Below each run stand the options that it takes, with what they are unless told: --seconds for how long payments come, --rate how many a second,
--payments how many there are, --seed which faults come in which order.
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
const [other] = Object.keys(numbers).filter((option) => !(option in plan.takes))
if (other !== undefined) {
  console.error(`${name} takes no --${other}, only ${optionsOf(plan)}\n\n${usage}`)
  process.exit(2)
}
console.log(`${name}: ${plan.shape}`)
const report = await plan.run({ ...plan.takes, ...numbers })
for (const [law, { ok, said }] of Object.entries(report.laws)) console.log(`  ${ok ? 'ok  ' : 'FAIL'}  ${law}: ${said}`)
for (const [figure, value] of Object.entries(report.figures)) console.log(`        ${figure}: ${value}`)
const failed = Object.values(report.laws).filter(({ ok }) => !ok).length
console.log(failed === 0 ? `${name} passed` : `${name} failed: ${failed} laws`)
process.exit(failed === 0 ? 0 : 1)
