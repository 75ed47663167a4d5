import { rmSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** A PostgreSQL of its own, as the tests of the store start it. */
export async function startPostgres() {
  const source = new URL('../../packages/store/test/embedded-postgres.ts', import.meta.url)
  const bundle = new URL(`../../packages/store/test/.embedded-postgres-${process.pid}.mjs`, import.meta.url)
  const [entry, outfile] = [source, bundle].map(fileURLToPath)
  try {
    await build({ entryPoints: [entry], outfile, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' })
    const { startPostgres: start } = await import(pathToFileURL(outfile).href)
    return await start()
  } finally {
    rmSync(outfile, { force: true })
  }
}
