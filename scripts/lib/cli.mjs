import { join } from 'node:path'
import { ensureRunnable } from './build.mjs'
import { ensureInstalled, runScope } from './install.mjs'
import { root } from './root.mjs'
import { turnInto } from './run.mjs'

/** Runs `groat ARGS` from the clone, after installing and building what it needs. */
export async function runCli(args) {
  await ensureInstalled(runScope)
  await ensureRunnable('@groat/cli')
  await turnInto(join(root, 'packages/cli/dist/bin.js'), args)
}
