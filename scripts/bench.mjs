// npm run bench [-- ARGS]: our benchmarks against the published packages.
import './lib/require-node.mjs'
import { buildAll } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { pnpm } from './lib/pnpm.mjs'
import { main, phase } from './lib/progress.mjs'

await main(async () => {
  await ensureInstalled(fullScope)
  await phase('building all packages', buildAll)
  const { code } = await pnpm(['--filter', '@groat/bench', 'run', 'bench', ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  process.exitCode = code
})
