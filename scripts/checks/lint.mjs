// Format and lint rules, warnings included.
import { join } from 'node:path'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'

const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
const options = ['check', '--error-on-warnings', '--colors=off', '--max-diagnostics=50']
const { code, output } = await run(process.execPath, [biome, ...options])
if (code !== 0) process.stdout.write(output)
process.exitCode = code
