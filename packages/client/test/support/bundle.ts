import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** A program that Node can run, out of the sources. */
export type Program = { readonly file: string; readonly remove: () => Promise<void> }

/** Makes one file out of TypeScript that stands in this folder, or in another, with the packages taken from their sources. */
export async function bundle(contents: string, standsIn = new URL('.', import.meta.url)): Promise<Program> {
  // Beside the modules of the store, so that the program finds its database driver.
  const folder = await mkdtemp(fileURLToPath(new URL('../../../store/node_modules/.client-', import.meta.url)))
  const file = join(folder, 'program.mjs')
  await build({
    stdin: { contents, loader: 'ts', resolveDir: fileURLToPath(standsIn) },
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['libsql', 'pg'],
  })
  return { file, remove: () => rm(folder, { recursive: true, force: true }) }
}
