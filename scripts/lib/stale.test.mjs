import { rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fixture } from './fixture.mjs'
import { findStale, markBuilt } from './stale.mjs'

let folder
let packages
beforeEach(() => {
  folder = fixture({
    'packages/a/package.json': { name: '@x/a' },
    'packages/a/src/index.ts': 'export const a = 1',
    'packages/a/dist/index.js': 'export const a = 1',
    'packages/b/package.json': { name: '@x/b' },
    'packages/b/src/index.ts': 'export const b = 1',
    'packages/b/dist/index.js': 'export const b = 1',
  })
  packages = ['a', 'b'].map((name) => ({ name: `@x/${name}`, dir: join(folder.dir, 'packages', name) }))
})
afterEach(() => folder.remove())

const stale = () => findStale(packages, { base: folder.dir }).map(({ name }) => name)

test('everything is stale at first, and nothing after a build', () => {
  expect(stale()).toEqual(['@x/a', '@x/b'])
  markBuilt(packages, { base: folder.dir })
  expect(stale()).toEqual([])
})

test.each([
  ['a changed source', 'packages/a/src/index.ts', 'export const a = 2'],
  ['a new source', 'packages/a/src/more.ts', 'export const more = 1'],
  ['a changed manifest', 'packages/a/package.json', '{"name":"@x/a","exports":{}}'],
  ['a changed build result', 'packages/a/dist/index.js', 'export const a = 1 // edited'],
])('%s makes its package stale, and only that', (_, path, content) => {
  markBuilt(packages, { base: folder.dir })
  folder.write(path, content)
  expect(stale()).toEqual(['@x/a'])
})

test('a lost dist makes its package stale', () => {
  markBuilt(packages, { base: folder.dir })
  rmSync(join(folder.dir, 'packages/b/dist'), { recursive: true })
  expect(stale()).toEqual(['@x/b'])
})

test('a test, a declaration and the time of a source do not count', () => {
  markBuilt(packages, { base: folder.dir })
  folder.write('packages/a/src/index.test.ts', 'a test')
  folder.write('packages/a/dist/index.d.ts', 'export declare const a = 1')
  utimesSync(join(folder.dir, 'packages/a/src/index.ts'), 1, 1)
  expect(stale()).toEqual([])
})
