import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SpendingPolicy } from '@groat/client/buyer'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PolicyFile, readPolicy, ruleInFile } from './policy-file.js'

let file: string
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'groat-policy-')), 'policy.yaml')
})
afterEach(() => rm(join(file, '..'), { recursive: true, force: true }))

async function read(text: string) {
  await writeFile(file, text)
  return readPolicy(file, {})
}

test('G08 what may be approved is said in the words that programs use', async () => {
  expect([
    await read('allowance: exact'),
    await read('allowance: unlimited'),
    await read('allowance: $5'),
    await read('allowance: 0.5'),
  ]).toEqual([{ allowance: 'exact' }, { allowance: 'unlimited' }, { allowance: '$5' }, { allowance: '0.5' }])
})

test.each(['allowance: everything', 'allowance: [exact]', 'alowance: exact', 'each_origin: { allowance: $5 }'])(
  '%s is no policy',
  async (text) => {
    await expect(read(text)).rejects.toThrow(/allowance|alowance|price/)
  },
)

test('a price that is none is told with its line', async () => {
  await expect(read('per_day: $1\neach_origin:\n  per_hour: lots')).rejects.toThrow(
    `${file}:3: each_origin.per_hour: is not a price; write it as $0.05`,
  )
})

test('CL-1 a policy has the same words in YAML as in code, and all of them', async () => {
  // The types hold this list complete: a word that code gets and YAML lacks fails here, and the other way round.
  const inCode = {
    ...{ perPayment: '$1', perHour: '$1', perDay: '$1', perTask: '$1', total: '$1', payments: { perDay: 1 } },
    ...{ origins: ['https://api.example'], recipients: [], networks: ['base'], schemes: ['exact'], assets: ['USDC'] },
    ...{ maxLifetimeSeconds: 60, allowance: 'exact', versions: [2], resource: 'path', knownTermsSeconds: 60 },
    ...{ eachOrigin: { perDay: '$1' }, categories: { maps: { origins: ['https://maps.example'] } } },
    ...{ pins: { 'https://api.example': [] }, trustFirst: 'url', priceRise: '20%', askAbove: '$1' },
    ...{ worth: { EURC: '$1.10' }, fees: { base: '$0.001' }, stopped: false, privateAddresses: false },
  } as const satisfies Required<Omit<SpendingPolicy, 'rules'>>
  const words = Object.keys(inCode).map((word) => word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
  // What a payer says of itself is no limit on what it spends, and is for the commands alone.
  expect(Object.keys(PolicyFile.shape).sort()).toEqual([...words, 'fields', 'sign_in'].sort())
  const inYaml = JSON.stringify(inCode).replace(/"([a-z]+[A-Z][A-Za-z]*)":/g, (_, word: string) => {
    return `"${word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}":`
  })
  expect(await read(inYaml)).toEqual(inCode)
})

test('a rule is named in the words of the file, and a category as its user named it', () => {
  const rules = ['perDay', 'payments.perTask', 'eachOrigin.perHour', 'categories.myMaps.payments.perDay', 'https']
  expect(rules.map(ruleInFile)).toEqual([
    ...['per_day', 'payments.per_task', 'each_origin.per_hour', 'categories.myMaps.payments.per_day', 'https'],
  ])
  expect(ruleInFile('categories.a.bC.perDay')).toBe('categories.a.bC.per_day')
})
