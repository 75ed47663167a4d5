// npm run simulate [-- --seeds N] [--seed S] [--steps N] [--seconds N] [--jobs N]: the facilitator against a world in memory, one run for each seed.
import './lib/require-node.mjs'
import { join } from 'node:path'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { readNumbers } from './lib/numbers.mjs'
import { main } from './lib/progress.mjs'
import { root } from './lib/root.mjs'
import { become } from './lib/run.mjs'

const usage = 'npm run simulate [-- --seeds N] [--seed S] [--steps N] [--seconds N] [--jobs N]'
const args = process.argv.slice(2)
const { wrong, names, help } = readNumbers(args, {
  ...{ seeds: 'count', seed: 'seed', steps: 'count', seconds: 'amount', jobs: 'count' },
})

if (help) process.stdout.write(`${usage}\n`)
else if (wrong !== undefined || names.length > 0) {
  process.stderr.write(`groat: ${wrong ?? `${names[0]} is no option`}\n\n${usage}\n`)
  process.exitCode = 2
} else await main(simulate)

async function simulate() {
  await ensureInstalled(fullScope)
  const test = join(root, 'packages/facilitator/test')
  const source = ['--conditions=source', '--import', join(test, 'child/register.mjs')]
  await become(process.execPath, [...source, join(test, 'simulator/main.ts'), ...args])
}
