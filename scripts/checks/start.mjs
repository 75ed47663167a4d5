// The first things that a newcomer does: `npm start` where nothing is installed yet, with what is tracked and no more; then a shop from a file.
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { report } from '../lib/report.mjs'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'

const SHOP = `upstream: http://127.0.0.1:3000
facilitator: http://127.0.0.1:4402
payTo: { base-sepolia: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" }
page: true
routes: { GET /weather: $0.01 }
`

const folder = await mkdtemp(join(tmpdir(), 'groat-start-'))
try {
  const { output } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
  const copy = (file) => cp(join(root, file), join(folder, file), { recursive: true }).catch(ignoreDeleted)
  for (const file of output.split('\0').filter(Boolean)) await copy(file)
  // What npm tells this check of itself would lead the npm below here.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD|NODE_)/i.test(name)))
  await writeFile(join(folder, 'shop.yaml'), SHOP)
  const faults = []
  for (const command of [
    ['start', '--silent', '--', '--once'],
    ['run', '--silent', 'groat', '--', 'serve', 'shop.yaml', '--check'],
  ]) {
    const { code, output: said } = await run('npm', command, { cwd: folder, env })
    if (code !== 0) faults.push(`npm ${command.join(' ')} in a fresh copy ended with ${code}`, said)
  }
  report(faults)
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
}

function ignoreDeleted(error) {
  if (error.code !== 'ENOENT') throw error
}
