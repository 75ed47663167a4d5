import { afterEach, describe, expect, test } from 'vitest'
import { fixture } from './fixture.mjs'
import { ensureInstalled, fullScope, isInstalled, runScope, writeStamp } from './install.mjs'

const repository = {
  'pnpm-workspace.yaml': 'packages:\n  - packages/*\n',
  'pnpm-lock.yaml': 'lockfile of everything',
  'package.json': { name: 'root' },
  'packages/a/package.json': { name: '@x/a' },
}

let folder
const open = (files) => {
  folder = fixture(files)
  return folder.dir
}
afterEach(() => folder.remove())

describe('isInstalled', () => {
  test('is false without node_modules', () => {
    expect(isInstalled(runScope, open(repository))).toBe(false)
  })

  test('takes a full install that somebody made by hand', () => {
    const base = open({ ...repository, 'node_modules/.pnpm/lock.yaml': 'lockfile of everything' })
    expect([isInstalled(runScope, base), isInstalled(fullScope, base)]).toEqual([true, true])
  })

  test('does not take a filtered install that somebody made by hand', () => {
    const base = open({ ...repository, 'node_modules/.pnpm/lock.yaml': 'a part' })
    expect([isInstalled(runScope, base), isInstalled(fullScope, base)]).toEqual([false, false])
  })

  test('a filtered install serves its own scope and not the full one', () => {
    const base = open({ ...repository, 'node_modules/.pnpm/lock.yaml': 'a part' })
    writeStamp(runScope, base)
    expect([isInstalled(runScope, base), isInstalled(fullScope, base)]).toEqual([true, false])
  })

  test('a full install serves every scope', () => {
    const base = open({ ...repository, 'node_modules/.pnpm/lock.yaml': 'everything for this platform' })
    writeStamp(fullScope, base)
    expect([isInstalled(runScope, base), isInstalled(fullScope, base)]).toEqual([true, true])
  })

  test('is false when a workspace has lost its links', () => {
    const base = open({ ...repository, 'node_modules/.pnpm/lock.yaml': 'lockfile of everything' })
    folder.write('packages/a/package.json', '{"name":"@x/a","dependencies":{"@x/b":"workspace:*"}}')
    expect(isInstalled(fullScope, base)).toBe(false)
    folder.write('packages/a/node_modules/.bin/b', '')
    expect(isInstalled(fullScope, base)).toBe(true)
  })

  test.each([
    ['the lockfile', 'pnpm-lock.yaml', 'another lockfile'],
    ['a manifest', 'packages/a/package.json', '{"name":"@x/a","dependencies":{}}'],
    ['the workspace settings', 'pnpm-workspace.yaml', 'packages:\n  - packages/*\noverrides: {}\n'],
    ['what pnpm installed since', 'node_modules/.pnpm/lock.yaml', 'another part'],
  ])('is false again when %s changes', (_, path, content) => {
    const base = open({ ...repository, 'node_modules/.pnpm/lock.yaml': 'a part' })
    writeStamp(runScope, base)
    folder.write(path, content)
    expect(isInstalled(runScope, base)).toBe(false)
  })
})

test('ensureInstalled installs once', async () => {
  const base = open(repository)
  const installed = []
  const install = async (scope) => {
    installed.push(scope)
    folder.write('node_modules/.pnpm/lock.yaml', `part ${installed.length}`)
  }
  await ensureInstalled(runScope, { base, install })
  await ensureInstalled(runScope, { base, install })
  await ensureInstalled(fullScope, { base, install })
  await ensureInstalled(runScope, { base, install })
  expect(installed).toEqual([runScope, fullScope])
})
