import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { changesetProblems } from './changesets.mjs'
import { fixture } from './fixture.mjs'

let folder
afterEach(() => folder?.remove())

function problemsOf(text) {
  folder = fixture({ 'config.json': {}, 'README.md': 'How to.', 'change.md': text })
  return changesetProblems({ dir: join(folder.dir), names: ['@groat/core'] })
}

test('a changeset names packages, how far they move, and what is different', () => {
  expect(problemsOf("---\n'@groat/core': minor\n---\n\nIt pays.\n")).toEqual([])
})

test.each([
  ["---\n\n## '@groat/core': minor\n\nFirst edition.\n", /cannot be read: could not parse changeset/],
  ["---\n'@groat/core': [minor\n---\n\nIt pays.\n", /cannot be read: /],
  ["---\n'@groat/core': big\n---\n\nIt pays.\n", /cannot be read: .*"big"/],
  ["---\n'@groat/corn': minor\n---\n\nIt pays.\n", /@groat\/corn is no public package/],
  ["---\n'@groat/core': minor\n---\n", /does not say what is different/],
  ['---\n---\n\nIt pays.\n', /names no package/],
])('%j is no changeset', (text, problem) => {
  expect(problemsOf(text)).toEqual([expect.stringMatching(problem)])
})
