#!/usr/bin/env node
// Builds the package in the current folder: `groat-build` all of it, `groat-build --js` only what runs.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'tsup'

/**
 * File by file, so that a bundler can leave out every file that an application does not use (`sideEffects: false`
 * speaks of files). JSON, and data from development dependencies, goes into the file that imports it.
 */
async function buildJavaScript() {
  await build({
    entry: shippedSources(),
    format: ['esm'],
    target: 'node20',
    splitting: false,
    sourcemap: true,
    clean: ['**/*.js', '**/*.js.map'],
    silent: true,
    config: false,
    // tsup leaves out dependencies and peers by itself.
    external: Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).optionalDependencies ?? {}),
    esbuildPlugins: [keepFilesApart],
    esbuildOptions: (options) => {
      options.outbase = 'src'
      // The sources are published beside it.
      options.sourcesContent = false
    },
  })
}

const keepFilesApart = {
  name: 'keep-files-apart',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path, external: true },
    )
  },
}

function shippedSources() {
  return readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/\.(test|bench|test-d|d)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).replaceAll('\\', '/'))
}

function emitDeclarations() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  const child = spawn(process.execPath, [tsc, '-p', 'tsconfig.json', '--emitDeclarationOnly'], { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}

const declarations = process.argv.includes('--js') ? Promise.resolve(0) : emitDeclarations()
await buildJavaScript()
process.exitCode = await declarations
