// npm run gen [-- --check]: writes what is generated from the sources, or compares it byte by byte.
import './lib/require-node.mjs'
import { runGenerators } from './lib/generate.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { Failure, main } from './lib/progress.mjs'

await main(async () => {
  await ensureInstalled(fullScope)
  const results = await runGenerators(process.argv.slice(2))
  for (const { output } of results) process.stdout.write(output)
  const failed = results.filter(({ code }) => code !== 0).map(({ path }) => path)
  if (failed.length > 0) throw new Failure(`groat: gen failed in ${failed.join(', ')}`)
})
