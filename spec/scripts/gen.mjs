#!/usr/bin/env node
// Generates what is generated in `spec`: node scripts/gen.mjs [--check]
// It runs the TypeScript of ./lib with @groat/core from its source, so it needs no build.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const check = process.argv.includes('--check')
const bundle = join(root, 'node_modules', `.gen-${process.pid}.mjs`)

try {
  await build({
    entryPoints: [join(root, 'scripts/lib/gen.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['source'],
    logLevel: 'error',
  })
  const { firstDifference, generate } = await import(pathToFileURL(bundle).href)
  const generated = generate(root.replace(/\/$/, ''))
  if (check) {
    const difference = firstDifference(root, generated)
    if (difference !== undefined) {
      process.stderr.write(`spec is not up to date, run \`node scripts/gen.mjs\` in spec/\n${difference}\n`)
      process.exitCode = 1
    }
  } else {
    for (const [path, content] of generated) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), content)
    }
    process.stdout.write(`spec: ${generated.size} files generated\n`)
  }
} finally {
  rmSync(bundle, { force: true })
}
