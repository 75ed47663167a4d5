// Our facilitator as anybody runs it, from the built command line, with a journal of its own that goes when it goes.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'groat-target-'))
const child = spawn(
  process.execPath,
  [at('../../../packages/cli/dist/bin.js'), 'facilitator', at('facilitator.yaml')],
  {
    stdio: 'inherit',
    env: { ...process.env, X402_STORE: join(folder, 'pay.db') },
  },
)
// The kit tells the whole group to stop; who was started goes first.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill('SIGTERM'))
child.on('close', (code) => {
  rmSync(folder, { recursive: true, force: true })
  process.exitCode = code ?? 1
})
