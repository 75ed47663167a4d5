import { afterEach, expect, test } from 'vitest'
import { fixture } from './fixture.mjs'
import { closureOf, findWorkspaces } from './workspaces.mjs'

let folder
afterEach(() => folder?.remove())

test('reads the folders of pnpm-workspace.yaml', () => {
  folder = fixture({
    'pnpm-workspace.yaml': '# a comment\npackages:\n  - spec\n  - "packages/*"\n\ncatalog:\n  zod: 4.0.0\n',
    'spec/package.json': { name: '@x/spec' },
    'packages/a/package.json': { name: '@x/a' },
    'packages/b/package.json': { name: '@x/b' },
    'packages/not-one/readme.md': '',
  })
  expect(findWorkspaces(folder.dir).map(({ name, path }) => ({ name, path }))).toEqual([
    { name: '@x/spec', path: 'spec' },
    { name: '@x/a', path: 'packages/a' },
    { name: '@x/b', path: 'packages/b' },
  ])
})

test('the closure holds what a workspace needs at run time, and nothing else', () => {
  const workspaces = [
    { name: 'app', manifest: { dependencies: { lib: 'workspace:*', zod: 'catalog:' } } },
    {
      name: 'lib',
      manifest: { optionalDependencies: { fast: 'workspace:*' }, devDependencies: { tools: 'workspace:*' } },
    },
    { name: 'fast', manifest: { peerDependencies: { app: 'workspace:*' } } },
    { name: 'tools', manifest: {} },
    { name: 'other', manifest: { dependencies: { app: 'workspace:*' } } },
  ]
  expect(closureOf('app', workspaces).map(({ name }) => name)).toEqual(['app', 'lib', 'fast'])
})
