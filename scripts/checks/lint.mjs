// Format and lint rules, warnings included.
import { join } from 'node:path'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'

const { code } = await run(
  process.execPath,
  [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings', '.'],
  {
    stdio: 'inherit',
  },
)
process.exitCode = code
