import { readNumbers } from '../../scripts/lib/numbers.mjs'

/** How often a replay storm presents a payment. */
export const COPIES = 50

/** The runs of the load plan, by name: what each is, and the numbers that change it, with what they are unless told. Nothing has to be built to read this. */
export const runs = {
  L3: {
    shape: `replay storm: every payment is presented ${COPIES} times at once, to a shop and to its facilitator`,
    takes: { payments: 200 },
  },
  L5: {
    shape: 'settle steadily: 30 a second, 2 replicas, 4 signers, a block a second',
    takes: { seconds: 600, rate: 30 },
  },
  L6: {
    shape: 'settle burst: 500 at once, a block a second',
    takes: { payments: 500 },
  },
  L9: {
    shape: 'overload: three times what L5 asks, on one replica and one signer',
    takes: { seconds: 180, rate: 90 },
  },
  S1: {
    shape: 'soak: 15 settlements a second, ten times as many verifications, one request in a hundred malformed',
    takes: { seconds: 600, rate: 15 },
  },
  S2: {
    shape: 'chaos: 8 settlements a second, a fault every 20 seconds, a kill every 60, blocks undone every 5 minutes',
    takes: { seconds: 600, rate: 8, seed: 1 },
  },
  S3: {
    shape: 'simulator: the engine against a world in memory, in virtual time, one run for each seed',
    takes: { seconds: 600, seed: 1 },
  },
  C1: {
    shape: 'capacity: 10,000 payments a second over 50 chains with 2 signers each, in memory and in virtual time',
    takes: { seconds: 5, rate: 10_000 },
  },
  S5: {
    shape: 'restart: everything is killed with many payments open, and started again',
    takes: { payments: 10_000 },
  },
}

const optionsOf = ({ takes }) =>
  Object.entries(takes)
    .map(([option, unlessTold]) => `--${option} ${unlessTold}`)
    .join(' ')

const usage = `npm run load -- NAME [OPTION N]...

${Object.entries(runs)
  .map(([name, run]) => `  ${name}  ${run.shape}\n      ${optionsOf(run)}`)
  .join('\n')}

Below each run stand the options that it takes, with what they are unless told: --seconds for how long payments come, --rate how many a second,
--payments how many there are, --seed which faults come in which order.
`

/**
 * Which run is asked for, with its numbers; or `{ said, code }`: what to say instead, and with what to end.
 *
 * @example
 * readRun(['L3', '--payments', '20']) // { name: 'L3', numbers: { payments: 20 } }
 */
export function readRun(args) {
  const { wrong, numbers, names, help } = readNumbers(args, {
    ...{ seconds: 'amount', rate: 'amount', payments: 'count', seed: 'seed' },
  })
  const misused = (reason) => ({ said: `${reason}\n\n${usage}`, code: 2 })
  if (wrong !== undefined) return misused(wrong)
  if (help) return { said: usage, code: 0 }
  const [name = '', more] = names
  if (!Object.hasOwn(runs, name)) {
    return misused(name === '' ? 'Which run?' : `No run is called ${JSON.stringify(name)}.`)
  }
  if (more !== undefined) return misused(`One run at a time: ${JSON.stringify(more)} is one too many.`)
  const { takes } = runs[name]
  const [other] = Object.keys(numbers).filter((option) => !(option in takes))
  if (other !== undefined) return misused(`${name} takes no --${other}, only ${optionsOf(runs[name])}`)
  return { name, numbers: { ...takes, ...numbers } }
}

/** Says what is to be said instead of running. */
export function sayInstead({ said, code }) {
  const out = code === 0 ? process.stdout : process.stderr
  out.write(`${said}\n`)
  process.exitCode = code
}
