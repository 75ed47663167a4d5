#!/usr/bin/env node
// Builds the JavaScript of the package in the current folder, file by file, so that a bundler can leave out every file
// that an application does not use (`sideEffects: false` speaks of files). JSON, and data from development dependencies,
// goes into the file that imports it. Declarations come from declarations.mjs.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'tsup'

const keepFilesApart = {
  name: 'keep-files-apart',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\.?\/.*\.js$|^#/ }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path, external: true },
    )
  },
}

await build({
  entry: shippedSources(),
  format: ['esm'],
  target: 'node20',
  splitting: false,
  sourcemap: true,
  clean: ['!**/*.d.ts'],
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

// A fresh process of Node waits for every file that it opens: where the manifest has the condition `node`, what the entry points share
// is in few files beside those for bundlers. Each entry point of the package has it then, so that no module is loaded twice.
const forNode = entryPointsForNode()
if (Object.keys(forNode).length > 0) {
  await build({
    entry: forNode,
    outDir: 'dist/node',
    format: ['esm'],
    target: 'node20',
    splitting: true,
    sourcemap: true,
    silent: true,
    config: false,
    esbuildOptions: (options) => {
      options.sourcesContent = false
      // What the package imports by a name of its own is of Node here.
      options.conditions = ['source', 'node']
    },
  })
}

function entryPointsForNode() {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
  return Object.fromEntries(
    Object.values(exports ?? {})
      .filter(({ node }) => node !== undefined)
      .map(({ node, source }) => [node.replace(/^\.\/dist\/node\/|\.js$/g, ''), source]),
  )
}

function shippedSources() {
  return readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/\.(test|bench|test-d|d)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).replaceAll('\\', '/'))
}
