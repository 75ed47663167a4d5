import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errorCodes, isErrorCode } from '@groat/core'
import { describe, expect, test } from 'vitest'
import { errorTable, fillBlocks } from '../scripts/lib/blocks.js'
import { type Excluded, firstDifference, generate } from '../scripts/lib/gen.js'
import { ID, ProseError, pages, parsePage, readRequirements } from '../scripts/lib/requirements.js'
import { idsOfTestNames, readTestedBy } from '../scripts/lib/tested.js'
import { readJson } from '../scripts/lib/vectors.js'
import { root } from './support.js'

const requirements = readRequirements(root)
const ids = new Set(requirements.map(({ id }) => id))
const testedBy = readTestedBy(join(root, '..'))
const excluded = readJson<Excluded>(root, 'excluded.json')

describe('pages', () => {
  test('name only codes of the registry', () => {
    const unknown = requirements.flatMap(({ id, codes }) =>
      codes.filter((code) => !isErrorCode(code)).map((code) => `${id}: ${code}`),
    )
    expect(unknown).toEqual([])
  })

  test('refer only to requirements that exist', () => {
    const unknown = ['README.md', ...pages].flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(new RegExp(ID, 'g'))]
        .filter(([id]) => !ids.has(id))
        .map(([id]) => `${file}: ${id}`),
    )
    expect(unknown).toEqual([])
  })

  test('link only to files that exist', () => {
    const broken = ['README.md', 'vectors/README.md', ...pages].flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^https?:/.test(target) && !existsSync(join(root, dirname(file), target)))
        .map((target) => `${file}: ${target}`),
    )
    expect(broken).toEqual([])
  })

  test('have a row each in the README', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    expect([...pages, 'dangers-evm.md'].filter((file) => !readme.includes(`\n| [${file}](${file}) | `))).toEqual([])
  })

  test('end with divergence, security and open questions', () => {
    const closing = pages.map((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/^## [0-9]+\. (.+)$/gm)].map(([, title]) => title).slice(-3),
    )
    expect(new Set(closing.map((titles) => titles.join(', ')))).toEqual(
      new Set(['Divergence from upstream, Security considerations, Open questions against upstream']),
    )
  })

  test('have one sentence per line in requirements', () => {
    const long = requirements.filter(({ text }) => /[a-z`)]\. [A-Z]/.test(text)).map(({ id }) => id)
    expect(long).toEqual([])
  })

  test('list every code of the registry, in its order', () => {
    const table = readFileSync(join(root, 'errors.md'), 'utf8')
    expect([...table.matchAll(/^\| `([a-z0-9_]+)` \| [0-9]{3} \|/gm)].map(([, code]) => code)).toEqual(
      Object.keys(errorCodes),
    )
    expect(table).toContain(errorTable())
  })

  test('give explicit and implied requirements a source', () => {
    const bare = requirements.filter(({ basis, source }) => /^(explicit|implied)$/.test(basis) && source === undefined)
    expect(bare.map(({ id }) => id)).toEqual([])
  })
})

describe('what is generated', () => {
  test('is up to date, the lists of tests left aside', () => {
    const withoutTests = new Map(
      [...generate(root)].filter(([path]) => path !== 'requirements.json' && path !== 'README.md'),
    )
    expect(firstDifference(root, withoutTests)).toBeUndefined()
    const stored = readJson<{ requirements: readonly { id: string; hash: string }[] }>(root, 'requirements.json')
    expect(stored.requirements.map(({ id, hash }) => `${id} ${hash}`)).toEqual(
      requirements.map(({ id, hash }) => `${id} ${hash}`),
    )
  })

  test('is compared byte by byte', () => {
    const changed = readFileSync(join(root, 'schemas/vector.schema.json'), 'utf8').replace('"title"', '"name"')
    expect(firstDifference(root, new Map([['schemas/vector.schema.json', changed]]))).toContain(
      'vector.schema.json:4\n',
    )
    expect(firstDifference(root, new Map([['nowhere.json', '']]))).toBe('nowhere.json is missing')
  })

  test('blocks keep their markers and can be filled again', () => {
    const page = 'a\n<!-- b:c -->\nold\n<!-- /b -->\nd\n<!-- b:e -->\n<!-- /b -->\n'
    const filled = fillBlocks(page, { b: (argument) => `(${argument})` })
    expect(filled).toBe('a\n<!-- b:c -->\n(c)\n<!-- /b -->\nd\n<!-- b:e -->\n(e)\n<!-- /b -->\n')
    expect(fillBlocks(filled, { b: (argument) => `(${argument})` })).toBe(filled)
  })
})

describe('orphans', () => {
  test('no test, vector or example names a requirement that does not exist', () => {
    expect([...testedBy].filter(([id]) => !ids.has(id))).toEqual([])
  })

  test('no requirement is excluded that does not exist or that has a test', () => {
    expect(Object.keys(excluded).filter((id) => !ids.has(id) || testedBy.has(id))).toEqual([])
    expect(Object.values(excluded).filter((reason) => !/^[A-Z].{20,}\.$/.test(reason))).toEqual([])
  })

  test('each is tested or excluded', () => {
    const open = requirements.filter(({ id }) => !testedBy.has(id) && excluded[id] === undefined).map(({ id }) => id)
    expect(open).toEqual([])
  })
})

describe('the form of a page', () => {
  const good =
    '[CORE-001]{#CORE-001} A sender MUST write.\n<br>*basis: explicit (S2 §5); roles: client, server; violation: `invalid_payload`*\n'

  test('a requirement is read whole', () => {
    expect(parsePage('core.md', good)).toEqual([
      {
        id: 'CORE-001',
        level: 'MUST',
        roles: ['client', 'server'],
        basis: 'explicit',
        source: 'S2 §5',
        profile: 'core',
        text: 'A sender MUST write.',
        hash: '7e4d9bc50098cd34',
        file: 'core.md',
        anchor: 'core.md#CORE-001',
        violation: '`invalid_payload`',
        codes: ['invalid_payload'],
      },
    ])
  })

  const faults: readonly (readonly [string, string])[] = [
    ['no basis line', good.slice(0, good.indexOf('<br>'))],
    ['two levels', good.replace('write.', 'write and MUST NOT read.')],
    ['no level', good.replace('MUST', 'must')],
    ['no actor', good.replace('A sender', 'One')],
    ['no full stop', good.replace('write.', 'write')],
    ['an unknown role', good.replace('client, server', 'client, seller')],
    ['an unknown basis', good.replace('explicit', 'obvious')],
    ['a level in a note', `${good}\nNote that you MUST read on.\n`],
  ]
  for (const [name, page] of faults) {
    test(`${name} is an error`, () => expect(() => parsePage('core.md', page)).toThrow(ProseError))
  }

  test('ids at the beginning of names of tests are found', () => {
    // The mark stands for an area, so that this file does not name requirements itself.
    const source = `test('§001 a')
      it.each([['§002, §003: b']])('§004 §005 c %s')
      describe("A16, §006 d")
      const other = ['§007', see('§008'), 'after §009 e']`
    const found = idsOfTestNames(source.replaceAll('§', 'CORE-'))
    expect(found.map((id) => id.slice(-3))).toEqual(['001', '002', '003', '004', '005', '006'])
  })
})
