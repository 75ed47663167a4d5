// npm run peers [-- NAME… --write]: the conformance kit against the published x402 packages. Reports stay in .peers, on this
// machine; what is committed of them, in interop/targets/known, is how many checks are red in each area and not which.
import './lib/require-node.mjs'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ensureRunnable } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { main } from './lib/progress.mjs'
import { root } from './lib/root.mjs'
import { run } from './lib/run.mjs'

const folder = join(root, 'interop/targets')
const reports = join(root, '.peers')
const chosen = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const writes = process.argv.includes('--write')

await main(async () => {
  await ensureInstalled(fullScope)
  await ensureRunnable('@groat/cli')
  const conform = (...args) =>
    run(process.execPath, [join(root, 'packages/cli/dist/bin.js'), 'conform', ...args], { stdio: 'inherit' })
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
    .filter((name) => chosen.length === 0 || chosen.includes(name))
  for (const name of names) {
    console.log(`\n${name}`)
    const known = join(folder, 'known', `${name}.json`)
    const report = join(reports, name)
    const baseline = existsSync(known) && !writes ? ['--baseline', known] : []
    const { code } = await conform(
      ...['--target', join(folder, `${name}.json`), '--profile', 'hardening', '--runs', '20', '--report', report],
      ...baseline,
    )
    if (writes) await conform('baseline', 'write', known, '--report', report, '--classes')
    else process.exitCode = Math.max(Number(process.exitCode ?? 0), code)
  }
  await conform('report', '--in', reports, '--html', join(reports, 'matrix.html'))
})
