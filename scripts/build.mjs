// npm run build: every package, JavaScript and declarations.
import './lib/require-node.mjs'
import { buildAll } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main, phase } from './lib/progress.mjs'

await main(async () => {
  await ensureInstalled(fullScope)
  await phase('building all packages', buildAll)
})
