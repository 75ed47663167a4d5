import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { readYamlFile } from './yaml-file.js'

const Schema = z.strictObject({
  level: z.optional(z.enum(['info', 'warn', 'error'])),
  page: z.optional(z.union([z.boolean(), z.strictObject({ title: z.string() })])),
  name: z.optional(z.string().check(z.minLength(1))),
  count: z.optional(z.int().check(z.positive())),
  list: z.optional(z.array(z.string()).check(z.minLength(1))),
  most_at_once: z.optional(z.int()),
  share: z.optional(z.number().check(z.lte(1))),
  routes: z.optional(
    z.record(
      z.string(),
      z.union([
        z.literal('free'),
        z.string(),
        z.strictObject({
          mode: z.optional(z.enum(['strict', 'upfront'])),
          minute: z.optional(z.union([z.string(), z.strictObject({ price: z.string() })])),
        }),
      ]),
    ),
  ),
})

/** What is said of a file, without its name. */
async function saidOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'groat-yaml-'))
  const file = join(folder, 'a.yaml')
  try {
    await writeFile(file, text)
    await readYamlFile(file, Schema, {})
    return 'valid'
  } catch (error) {
    return (error instanceof Error ? error.message : '').replaceAll(`${file}:`, '')
  } finally {
    await rm(folder, { recursive: true })
  }
}

test.each([
  ['level: chatty', '1: level: expected info, warn or error'],
  ['page: yes please', '1: page: expected true or false, or fields'],
  ['page: { titel: a }', '1: page.title: is missing\n1: page.titel: unknown field; did you mean `title`?'],
  ['name: ""', '1: name: expected text that is not empty'],
  ['count: 0', '1: count: expected more than 0'],
  ['count: 1.5', '1: count: expected a whole number'],
  ['list: []', '1: list: is empty: expected at least 1 of them'],
  ['share: 2', '1: share: expected at most 1'],
  ['routes:\n  GET /a: { mode: upfornt }', '2: routes.GET /a.mode: expected strict or upfront'],
  ['routes:\n  GET /a: { modus: strict }', '2: routes.GET /a.modus: unknown field; did you mean `mode`?'],
  [
    'routes:\n  GET /a: { MINUTE: 1, colour: red }',
    '2: routes.GET /a.MINUTE: unknown field; did you mean `minute`?\n2: routes.GET /a.colour: unknown field',
  ],
  ['mostAtOnce: 1', '1: mostAtOnce: unknown field; did you mean `most_at_once`?'],
  ['name: a\nnam: b', '2: nam: unknown field'],
  ['lvl: a', '1: lvl: unknown field'],
  [
    'routes:\n  GET /a:\n    minute: { prize: 1 }',
    '3: routes.GET /a.minute.price: is missing\n3: routes.GET /a.minute.prize: unknown field; did you mean `price`?',
  ],
  [
    'nme: a\nlevel: chatty\ncount: 0',
    '1: nme: unknown field; did you mean `name`?\n2: level: expected info, warn or error\n3: count: expected more than 0',
  ],
  ['level: warn\nroutes:\n  __proto__: free', '3: routes.__proto__: is no name that can be used'],
  ['routes:\n  GET /a: 5', '2: routes.GET /a: expected free, text or fields; a price is written as $5'],
])('says line and reason of %s', async (text, said) => {
  expect(await saidOf(text)).toBe(said)
})
