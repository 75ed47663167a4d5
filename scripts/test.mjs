// npm test: everything. npm test -- ARGS: vitest alone, with those arguments.
import './lib/require-node.mjs'
import { buildAll } from './lib/build.mjs'
import { runChecks } from './lib/checks.mjs'
import { closingLine, sumCounts } from './lib/closing.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main, phase } from './lib/progress.mjs'
import { runVitest } from './lib/vitest.mjs'

const args = process.argv.slice(2)
const counts = [{ failed: 1 }]

await main(async () => {
  await ensureInstalled(fullScope)
  if (args.length > 0) {
    counts.splice(0, 1, await runVitest(args))
    return
  }
  await phase('building all packages', buildAll)
  const checks = await runChecks()
  counts.splice(0, 1, checks, await runVitest())
})

const total = sumCounts(counts)
if (total.failed > 0) process.exitCode = 1
process.stdout.write(`${closingLine(total)}\n`)
