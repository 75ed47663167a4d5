// npm run bench [-- NAME ...]: our benchmarks against the published packages.
import './lib/require-node.mjs'
import { join } from 'node:path'
import { readSuites } from '../bench/lib/asked.mjs'
import { sayInstead } from '../bench/load/runs.mjs'
import { buildAll } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main, phase } from './lib/progress.mjs'
import { root } from './lib/root.mjs'
import { become } from './lib/run.mjs'

const args = process.argv.slice(2)
const asked = readSuites(args)
// What cannot be run is said before anything is built for it.
if (asked.names === undefined) sayInstead(asked)
else {
  await main(async () => {
    await ensureInstalled(fullScope)
    await phase('building all packages', buildAll)
    await become(process.execPath, [join(root, 'bench/run.mjs'), ...args])
  })
}
