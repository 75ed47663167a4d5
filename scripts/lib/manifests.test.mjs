import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { fixture } from './fixture.mjs'
import {
  fixedGroupProblems,
  incompleteManifests,
  strayVersions,
  unexplainedDependencies,
  unusedCatalogEntries,
  unusedDependencies,
} from './manifests.mjs'

let folder
afterEach(() => folder?.remove())

const workspace = (manifest, files = {}) => {
  folder = fixture({
    ...files,
    'pnpm-workspace.yaml': 'packages:\n  - pkg\n\ncatalog:\n  "@a/b": 1.0.0\n  zod: 4.0.0\n',
  })
  return [{ name: manifest.name, path: 'pkg', dir: join(folder.dir, 'pkg'), manifest }]
}

test('a version outside the catalog fails; a peer range is not a version', () => {
  const manifest = {
    dependencies: { '@groat/core': 'workspace:*', viem: '^2.0.0' },
    devDependencies: { zod: 'catalog:' },
    peerDependencies: { hono: '^4.0.0' },
  }
  expect(strayVersions(workspace(manifest))).toEqual([
    'pkg/package.json: viem is ^2.0.0; versions belong in the catalog',
  ])
})

test('a catalog entry that nothing uses fails', () => {
  expect(unusedCatalogEntries(workspace({ dependencies: { zod: 'catalog:' } }), folder.dir)).toEqual([
    'pnpm-workspace.yaml: the catalog has @a/b, which nothing uses',
  ])
})

test('a dependency whose name is never said fails; types serve what they describe', () => {
  const manifest = {
    dependencies: { hono: 'catalog:', viem: 'catalog:' },
    devDependencies: { '@types/express': 'catalog:', tsx: 'catalog:' },
    scripts: { gen: 'tsx gen.ts' },
  }
  const files = { 'pkg/src/a.ts': "import 'hono/tiny'\nimport express from 'express'" }
  expect(unusedDependencies(workspace(manifest, files))).toEqual([
    'pkg/package.json: depends on viem and never says its name',
  ])
})

test('a dependency that a package of ours wants beside it is used', () => {
  const [dependent] = workspace({ name: '@x/program', dependencies: { '@x/server': 'workspace:*', zod: 'catalog:' } })
  const server = { ...dependent, name: '@x/server', manifest: { peerDependencies: { zod: '^4.0.0' } } }
  expect(unusedDependencies([dependent, server])).toEqual([
    'pkg/package.json: depends on @x/server and never says its name',
  ])
})

test('a public package without what the registry shows fails', () => {
  const whole = {
    description: 'd',
    license: 'l',
    type: 'module',
    files: ['dist'],
    exports: {},
    publishConfig: {},
    version: '1.0.0',
  }
  expect(incompleteManifests(workspace(whole, { 'pkg/README.md': '# pkg' }))).toEqual([])
  folder.remove()
  const { license, ...partial } = whole
  expect(incompleteManifests(workspace(partial))).toEqual(['pkg: license is missing', 'pkg: a README.md is missing'])
  folder.remove()
  expect(incompleteManifests(workspace({ private: true }))).toEqual([])
})

test('the fixed group and the public packages are the same', () => {
  const config = { '.changeset/config.json': { fixed: [['@x/gone']] } }
  expect(fixedGroupProblems(workspace({ name: '@x/new' }, config), folder.dir)).toEqual([
    '.changeset/config.json: @x/new is not in the group',
    '.changeset/config.json: @x/gone does not exist',
  ])
})

test('a runtime dependency without its line in the decisions fails', () => {
  const table = { 'docs/adr/0009-dependencies.md': '| zod | core | because |\n' }
  const manifest = {
    dependencies: { zod: 'catalog:', '@groat/core': 'workspace:*' },
    optionalDependencies: { ws: 'catalog:' },
  }
  expect(unexplainedDependencies(workspace(manifest, table), folder.dir)).toEqual([
    'docs/adr/0009-dependencies.md: ws has no line',
  ])
})
