// npm run load -- NAME [OPTION N]...: one run of the load plan.
import './lib/require-node.mjs'
import { join } from 'node:path'
import { buildAll } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main, phase } from './lib/progress.mjs'
import { root } from './lib/root.mjs'
import { become } from './lib/run.mjs'

await main(async () => {
  await ensureInstalled(fullScope)
  await phase('building all packages', buildAll)
  await become(process.execPath, [join(root, 'bench/load.mjs'), ...process.argv.slice(2)])
})
