// npm run gen [-- --check]: writes what is generated from the sources, or compares it byte by byte.
import './lib/require-node.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { pnpm } from './lib/pnpm.mjs'
import { main } from './lib/progress.mjs'

await main(async () => {
  await ensureInstalled(fullScope)
  const { code } = await pnpm(['-r', '--if-present', 'run', 'gen', ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exitCode = code
})
