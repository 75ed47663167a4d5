// What is generated is what its sources make, byte by byte.
import { join } from 'node:path'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'

const { code } = await run(process.execPath, [join(root, 'scripts/gen.mjs'), '--check'], { stdio: 'inherit' })
process.exitCode = code
