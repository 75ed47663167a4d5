// npm run mutants [-- facilitators servers clients libraries]: every broken target of the conformance kit, or those of some roles, with all
// tries, one line each as it is noticed; with all of them the kill matrix is written anew.
import './lib/require-node.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { Failure, main } from './lib/progress.mjs'
import { runVitest } from './lib/vitest.mjs'

const roles = ['facilitators', 'servers', 'clients', 'libraries']

await main(async () => {
  const chosen = process.argv.slice(2)
  const unknown = chosen.find((word) => !roles.includes(word))
  if (unknown !== undefined) throw new Failure(`groat: ${unknown} is none of ${roles.join(', ')}`)
  process.env.GROAT_MUTANT_RUNS ??= '100'
  await ensureInstalled(fullScope)
  const some = chosen.length > 0 ? ['-t', `^(${chosen.join('|')}) `] : []
  const { passed, failed } = await runVitest(['conformance/test/mutants.test.ts', '--reporter=verbose', ...some])
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  if (failed > 0) process.exitCode = 1
})
