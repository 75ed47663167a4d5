import { afterAll, beforeAll, expect, test } from 'vitest'
import { fixture } from './fixture.mjs'
import { weigh } from './size.mjs'

let folder
beforeAll(() => {
  folder = fixture({
    'node_modules/purse/package.json': { name: 'purse', type: 'module', sideEffects: false, exports: './index.js' },
    'node_modules/purse/index.js':
      "import { heavy } from 'heavy'\nexport const pay = () => heavy\nexport const count = (coins) => coins.length\n",
    'node_modules/heavy/package.json': { name: 'heavy', type: 'module', exports: './index.js' },
    'node_modules/heavy/index.js': `export const heavy = '${[...Array(500).keys()].join('-')}'\n`,
    'node_modules/server-only/package.json': { name: 'server-only', type: 'module', exports: './index.js' },
    'node_modules/server-only/index.js': "export { readFile } from 'node:fs/promises'\n",
  })
})
afterAll(() => folder.remove())

const weighed = (budget) => weigh({ name: 'a budget', max: 10_000, ...budget }, { resolveDir: folder.dir })

test('a bundle within its budget has no problem', async () => {
  const { bytes, problems } = await weighed({ imports: { purse: ['count'] }, max: 150 })
  expect(problems).toEqual([])
  expect(bytes).toBeGreaterThan(10)
})

test('a bundle over its budget fails with its size', async () => {
  const { bytes, problems } = await weighed({ imports: { purse: ['pay'] }, max: 100 })
  expect(problems).toEqual([`a budget: ${bytes} bytes, the budget is 100`])
})

test('a forbidden package in a bundle fails by name', async () => {
  const { problems } = await weighed({ imports: { purse: ['pay'] }, forbid: ['heavy'] })
  expect(problems).toEqual([
    expect.stringMatching(/^a budget: heavy must not be in it, and there is .*heavy\/index.js$/),
  ])
})

test('a module of Node does not get into a browser', async () => {
  const { problems } = await weighed({ imports: { 'server-only': ['readFile'] } })
  expect(problems).toEqual([expect.stringContaining('Could not resolve "node:fs/promises"')])
})

test('a name that is not there fails', async () => {
  const { problems } = await weighed({ imports: { purse: ['spend'] } })
  expect(problems).toEqual([expect.stringContaining('No matching export')])
})
