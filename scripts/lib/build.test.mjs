import { expect, test } from 'vitest'
import { buildSteps } from './build.mjs'
import { findWorkspaces, isBuilt } from './workspaces.mjs'

test('what runs from a clone is built by all steps that its build script has', () => {
  const steps = new Map(
    findWorkspaces()
      .filter(isBuilt)
      .map((each) => [each.name, buildSteps(each)]),
  )
  expect(steps.get('@groat/server')).toEqual([[expect.stringContaining('build.mjs')], ['page/write.mjs']])
  expect(steps.get('@groat/core')).toEqual([[expect.stringContaining('build.mjs')]])
})

test('a step that cannot be run is no build', () => {
  const manifest = { scripts: { build: 'groat-build && make page' } }
  expect(() => buildSteps({ name: 'other', manifest })).toThrow('other builds by make')
})
