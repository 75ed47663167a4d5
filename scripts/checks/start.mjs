// The first thing that a newcomer does: `npm start` where nothing is installed yet, with what is tracked and no more.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { report } from '../lib/report.mjs'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'

const folder = await mkdtemp(join(tmpdir(), 'groat-start-'))
try {
  const { output } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
  const copy = (file) => cp(join(root, file), join(folder, file), { recursive: true }).catch(ignoreDeleted)
  for (const file of output.split('\0').filter(Boolean)) await copy(file)
  // What npm tells this check of itself would lead the npm below here.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD|NODE_)/i.test(name)))
  const started = await run('npm', ['start', '--silent', '--', '--once'], { cwd: folder, env })
  report(started.code === 0 ? [] : [`npm start in a fresh copy ended with ${started.code}`, started.output])
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
}

function ignoreDeleted(error) {
  if (error.code !== 'ENOENT') throw error
}
