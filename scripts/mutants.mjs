// npm run mutants: every broken target of the conformance kit with all tries, and the kill matrix anew.
import './lib/require-node.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main } from './lib/progress.mjs'
import { runVitest } from './lib/vitest.mjs'

process.env.GROAT_MUTANT_RUNS ??= '100'

await main(async () => {
  await ensureInstalled(fullScope)
  const { failed } = await runVitest(['conformance/test/mutants.test.ts'])
  if (failed > 0) process.exitCode = 1
})
