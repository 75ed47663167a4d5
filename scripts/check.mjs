// npm run check [-- NAME...]: the checks that are not tests, all or the named ones.
import './lib/require-node.mjs'
import { buildAll } from './lib/build.mjs'
import { runChecks } from './lib/checks.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main, phase } from './lib/progress.mjs'

await main(async () => {
  await ensureInstalled(fullScope)
  await phase('building all packages', buildAll)
  const { failed } = await runChecks({ only: process.argv.slice(2) })
  if (failed > 0) process.exitCode = 1
})
