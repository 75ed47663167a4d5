import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { missingDocstrings } from './docstrings.mjs'
import { fixture } from './fixture.mjs'
import { floatingPromises } from './floating.mjs'
import { createRepositoryProgram, typeErrors } from './program.mjs'

let folder
afterEach(() => folder.remove())

const tsconfig = {
  compilerOptions: { strict: true, target: 'ES2022', module: 'NodeNext', lib: ['ES2023'], types: [], noEmit: true },
  include: ['src'],
}

const open = (files) => {
  folder = fixture({ 'tsconfig.json': tsconfig, 'package.json': { type: 'module' }, ...files })
  return createRepositoryProgram({ base: folder.dir })
}

test('type errors come with their place', () => {
  const program = open({ 'src/a.ts': 'export const fine = 1\nexport const wrong: string = 1\n' })
  expect(typeErrors(program, folder.dir)).toEqual([
    "src/a.ts:2: TS2322 Type 'number' is not assignable to type 'string'.",
  ])
})

test('the examples of a document are a module of the program, with the lines of the document', () => {
  folder = fixture({
    'tsconfig.json': tsconfig,
    'package.json': { type: 'module' },
    'src/a.ts': 'export const fine = 1',
    'docs/x.md': [
      '# X',
      '```ts',
      'const one = 1',
      '```',
      'const prose = nothing',
      '```sh',
      'npm install',
      '```',
      '```ts',
      'export const two: string = one',
      '```',
      '```json',
      '{ not: ts }',
      '```',
      '```ts module',
      'const one = true',
      'export const three: string = one',
      '```',
      '```ts',
      'export const four: string = two',
      'export const five: boolean = one',
      '```',
    ].join('\n'),
  })
  const program = createRepositoryProgram({ base: folder.dir, documents: ['docs/x.md'] })
  expect(typeErrors(program, folder.dir)).toEqual([
    "docs/x.md:10: TS2322 Type 'number' is not assignable to type 'string'.",
    "docs/x.md:21: TS2322 Type 'number' is not assignable to type 'boolean'.",
    "docs/x.md:17: TS2322 Type 'boolean' is not assignable to type 'string'.",
  ])
})

test('a dropped promise is found, whoever made it', () => {
  const program = open({
    'src/port.d.ts': 'export declare const send: (x: string) => Promise<void>\n',
    'src/a.ts': `
      import { send } from './port.js'
      export async function dropped(maybe: boolean, thenable: PromiseLike<number>) {
        send('4')
        maybe && send('5')
        Promise.all([send('a')])
        send('7').then(() => 1)
        send('8').finally(() => 1)
        ;(thenable)
        ;[1].map(send as never)
      }
      export async function kept(catchAll: { catch(x: unknown): void }) {
        await send('a')
        void send('b')
        send('c').catch(() => undefined)
        send('d').then(() => 1, () => 2)
        send('e').catch(() => undefined).finally(() => 1)
        const later = send('f')
        let assigned
        assigned = send('g')
        catchAll.catch(1)
        return [later, assigned]
      }`,
  })
  expect(floatingPromises(program, { base: folder.dir }).map((problem) => problem.split(':')[1])).toEqual([
    '4',
    '5',
    '6',
    '7',
    '8',
    '9',
  ])
})

test('a public name without a sentence is found, through re-exports and namespaces', () => {
  const program = open({
    'src/index.ts':
      "export { named, type Shape } from './a.js'\nexport * as space from './b.js'\nexport const bare = 1\n",
    'src/a.ts':
      '/** What it is for. */\nexport const named = 1\nexport type Shape = { a: 1 }\nexport const inner = 1\n',
    'src/b.ts': '/** It does a thing. */\nexport function told() {}\nexport function untold() {}\n',
  })
  const workspace = { dir: folder.dir, manifest: { exports: { '.': { source: './src/index.ts' } } } }
  expect(missingDocstrings(program, [workspace], { base: folder.dir })).toEqual([
    'src/a.ts:3: Shape has no docstring',
    'src/b.ts:3: untold has no docstring',
    'src/index.ts:3: bare has no docstring',
  ])
})

test('an entry point that is not there is found', () => {
  const program = open({ 'src/index.ts': '' })
  const workspace = { dir: folder.dir, manifest: { exports: { './x': { source: './src/x.ts' } } } }
  expect(missingDocstrings(program, [workspace], { base: folder.dir })).toEqual([
    `${join('src', 'x.ts')}: an entry point that is not there or exports nothing`,
  ])
})
