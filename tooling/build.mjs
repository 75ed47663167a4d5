#!/usr/bin/env node
// Builds the package in the current folder. The entries are its own `exports`, so the two cannot drift.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { build } from 'tsup'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const fromExports = Object.values(manifest.exports)
  .map((target) => target.source)
  .filter(Boolean)
const fromBin = Object.values(manifest.bin ?? {}).map((file) => file.replace('./dist/', './src/').replace(/\.js$/, '.ts'))
const entry = Object.fromEntries(
  [...fromExports, ...fromBin].map((file) => [file.replace('./src/', '').replace(/\.ts$/, ''), file]),
)

await build({ entry, format: ['esm'], target: 'node20', splitting: true, sourcemap: true, clean: true, silent: true, dts: false, config: false })

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const types = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json', '--emitDeclarationOnly'], { stdio: 'inherit' })
process.exit(types.status ?? 1)
