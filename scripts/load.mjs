// npm run load -- NAME [OPTION N]...: one run of the load plan.
import './lib/require-node.mjs'
import { join } from 'node:path'
import { readRun, sayInstead } from '../bench/load/runs.mjs'
import { buildAll } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main, phase } from './lib/progress.mjs'
import { root } from './lib/root.mjs'
import { become } from './lib/run.mjs'

const args = process.argv.slice(2)
const asked = readRun(args)
// What cannot be run is said before anything is built for it.
if (asked.name === undefined) sayInstead(asked)
else {
  await main(async () => {
    await ensureInstalled(fullScope)
    await phase('building all packages', buildAll)
    await become(process.execPath, [join(root, 'bench/load.mjs'), ...args])
  })
}
