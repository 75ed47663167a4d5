// npm run simulate [-- --seeds N] [--seed S] [--steps N] [--seconds N] [--jobs N]: the facilitator against a world in memory, one run for each seed.
import './lib/require-node.mjs'
import { join } from 'node:path'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { mainWith } from './lib/numbers.mjs'
import { root } from './lib/root.mjs'
import { become } from './lib/run.mjs'

await mainWith(
  {
    usage: `npm run simulate [-- --seeds N] [--seed S] [--steps N] [--seconds N] [--jobs N]

Plays the engine against a world in memory, one run for each seed, and kills it at every point FP-01 to FP-13 but FP-11, where a webhook has been
taken: nobody is told anything here. packages/facilitator/test/crash.test.ts kills a real process at all thirteen.`,
    kinds: { seeds: 'count', seed: 'seed', steps: 'count', seconds: 'amount', jobs: 'count' },
  },
  simulate,
)

async function simulate() {
  await ensureInstalled(fullScope)
  const test = join(root, 'packages/facilitator/test')
  const source = ['--conditions=source', '--import', join(test, 'child/register.mjs')]
  await become(process.execPath, [...source, join(test, 'simulator/main.ts'), ...process.argv.slice(2)])
}
