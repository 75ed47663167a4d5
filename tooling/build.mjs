#!/usr/bin/env node
// Builds the package in the current folder: `groat-build` all of it, `groat-build --js` only what runs.
// The entries are the package's own `exports` and `bin`, so the two cannot drift.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { build } from 'tsup'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const declarations = process.argv.includes('--js') ? Promise.resolve(0) : emitDeclarations()
await buildJavaScript()
process.exitCode = await declarations

async function buildJavaScript() {
  await build({
    entry: entries(),
    format: ['esm'],
    target: 'node20',
    splitting: true,
    sourcemap: true,
    clean: ['**/*.js', '**/*.js.map'],
    silent: true,
    dts: false,
    config: false,
  })
}

function entries() {
  const fromExports = Object.values(manifest.exports).map((target) => target.source)
  const fromBin = Object.values(manifest.bin ?? {}).map((file) =>
    file.replace('./dist/', './src/').replace(/\.js$/, '.ts'),
  )
  const files = [...fromExports, ...fromBin].filter(Boolean)
  return Object.fromEntries(files.map((file) => [file.replace('./src/', '').replace(/\.ts$/, ''), file]))
}

function emitDeclarations() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  const child = spawn(process.execPath, [tsc, '-p', 'tsconfig.json', '--emitDeclarationOnly'], { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}
