import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { arrows, brokenArrows } from './arrows.mjs'
import { fixture } from './fixture.mjs'
import { findWorkspaces, isPublic } from './workspaces.mjs'

const rules = {
  '@groat/low': { groat: [], only: ['zod'] },
  '@groat/high': { groat: ['@groat/low'] },
}

let folder
afterEach(() => folder?.remove())

/** What is wrong with one package that has this manifest and this source file. */
function problemsOf(manifest, source = '') {
  folder = fixture({ 'pkg/package.json': manifest, 'pkg/src/file.ts': source })
  const workspace = { name: manifest.name, path: 'pkg', dir: join(folder.dir, 'pkg'), manifest }
  return brokenArrows([workspace], { rules, base: folder.dir })
}

test('a package that keeps the rules has no problem', () => {
  const manifest = {
    name: '@groat/high',
    dependencies: { '@groat/low': 'workspace:*', hono: 'catalog:' },
    devDependencies: { artifacts: 'catalog:' },
  }
  const source = `
    import { readFile } from 'node:fs/promises'
    import { low } from '@groat/low/sub'
    import { Hono } from 'hono'
    import data from 'artifacts/token.json' with { type: 'json' }
    export * from './other.js'`
  expect(problemsOf(manifest, source)).toEqual([])
})

test('a manifest that points back fails', () => {
  expect(problemsOf({ name: '@groat/low', dependencies: { '@groat/high': 'workspace:*' } })).toEqual([
    'pkg/package.json: @groat/low must not depend on @groat/high',
  ])
})

test('a file that needs an optional peer of ours to load fails, one that knows its types does not', () => {
  const manifest = {
    name: '@groat/high',
    peerDependencies: { '@groat/low': 'workspace:*' },
    peerDependenciesMeta: { '@groat/low': { optional: true } },
  }
  const types = `
    import type { Low } from '@groat/low'
    export type { Low } from '@groat/low'
    const late = () => import('@groat/low')`
  expect(problemsOf(manifest, types)).toEqual([])
  folder.remove()
  expect(problemsOf(manifest, "import { type Low, low } from '@groat/low'")).toEqual([
    'pkg/src/file.ts: loads @groat/low, an optional peer that may be missing',
  ])
})

test('a runtime dependency over the limit fails, a peer of the user does not', () => {
  const manifest = {
    name: '@groat/low',
    dependencies: { zod: 'catalog:', viem: 'catalog:' },
    peerDependencies: { hono: '4' },
  }
  expect(problemsOf(manifest)).toEqual(['pkg/package.json: @groat/low must not depend on viem at run time'])
})

test.each([
  ["import { high } from '@groat/high'", 'imports @groat/high, against the arrows'],
  ["export type { High } from '@groat/high/types'", 'imports @groat/high/types, against the arrows'],
  ["const high = await import('@groat/high')", 'imports @groat/high, against the arrows'],
  ["import { viem } from 'viem'", 'imports viem, which it does not depend on'],
  ["import { low } from '@groat/low'", 'imports @groat/low, which is its own package; use a relative path'],
  ["import { x } from '../../other/src/x.js'", 'imports ../../other/src/x.js, which is outside its package'],
])('a source with %s fails', (source, problem) => {
  expect(problemsOf({ name: '@groat/low' }, source)).toEqual([`pkg/src/file.ts: ${problem}`])
})

test('a package without a rule fails', () => {
  expect(problemsOf({ name: '@groat/new' })).toEqual(['pkg: @groat/new is not in the table of arrows'])
})

test('the table has the packages of this repository, and no other', () => {
  const names = findWorkspaces()
    .filter(isPublic)
    .map(({ name }) => name)
  expect(Object.keys(arrows).sort()).toEqual(names.sort())
})
