import { expect, test } from 'vitest'
import { together } from './together.js'

type Group = { readonly key: string; readonly asked: readonly string[]; end(): void; fail(error: unknown): void }

/** Work that ends when it is told to. */
function heldWork() {
  const groups: Group[] = []
  const work = (key: string, asked: readonly string[]) =>
    new Promise<readonly string[]>((resolve, reject) => {
      groups.push({ key, asked, end: () => resolve(asked.map((each) => `${key} ${each}`)), fail: reject })
    })
  return { groups, work }
}

const turns = () => new Promise((resolve) => setImmediate(resolve))
const isShared = (error: unknown) => error === 'store'

test('the first does not wait for company; who comes meanwhile is done together, in order', async () => {
  const { groups, work } = heldWork()
  const ask = together(work, isShared)
  const all = Promise.all(['a', 'b', 'c'].map((each) => ask('one', each)))
  const other = ask('two', 'x')
  expect(groups.map(({ key, asked }) => [key, ...asked])).toEqual([
    ['one', 'a'],
    ['two', 'x'],
  ])
  groups[0]?.end()
  await turns()
  expect(groups[2]?.asked).toEqual(['b', 'c'])
  groups[2]?.end()
  expect(await all).toEqual(['one a', 'one b', 'one c'])
  groups[1]?.end()
  expect(await other).toBe('two x')
  const again = ask('one', 'd')
  groups[3]?.end()
  expect(await again).toBe('one d')
})

test('what fails in company is done again alone, and fails alone', async () => {
  const ask = together(async (_, asked: readonly string[]) => {
    await turns()
    if (asked.includes('bad')) throw new Error('bad')
    return asked
  }, isShared)
  const ends = await Promise.allSettled(['a', 'b', 'bad', 'c'].map((each) => ask('one', each)))
  expect(ends.map((end) => (end.status === 'fulfilled' ? end.value : String(end.reason)))).toEqual([
    'a',
    'b',
    'Error: bad',
    'c',
  ])
})

test('a fault that is shared is not tried again', async () => {
  const { groups, work } = heldWork()
  const ask = together(work, isShared)
  const ends = Promise.allSettled(['a', 'b', 'c'].map((each) => ask('one', each)))
  groups[0]?.fail('store')
  await turns()
  groups[1]?.fail('store')
  expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(groups).toHaveLength(2)
})

test('a group has a bound', async () => {
  const sizes: number[] = []
  const ask = together(async (_, asked: readonly number[]) => {
    sizes.push(asked.length)
    await turns()
    return asked
  }, isShared)
  const numbers = Array.from({ length: 600 }, (_, i) => i)
  expect(await Promise.all(numbers.map((each) => ask('one', each)))).toEqual(numbers)
  expect(sizes).toEqual([1, 256, 256, 87])
})
