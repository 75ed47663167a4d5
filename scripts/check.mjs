// npm run check [-- NAME...]: the checks that are not tests, all or the named ones.
import './lib/require-node.mjs'
import { buildAll } from './lib/build.mjs'
import { chosenChecks, runChecks } from './lib/checks.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main, phase } from './lib/progress.mjs'

await main(async () => {
  const only = process.argv.slice(2)
  chosenChecks(only) // a name that is none is said before the build
  await ensureInstalled(fullScope)
  await phase('building all packages', buildAll)
  const { failed } = await runChecks({ only })
  if (failed > 0) process.exitCode = 1
})
