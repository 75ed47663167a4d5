import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type CheckResult, type Rail, readTarget, run, startRail } from '@groat/conformance'
import { afterAll, beforeAll, expect, test } from 'vitest'

const folder = fileURLToPath(new URL('targets/', import.meta.url))
const files = (ending: string) => readdirSync(folder).filter((file) => file.endsWith(ending))

let rail: Rail
beforeAll(async () => {
  rail = await startRail('evm')
}, 60_000)
afterAll(async () => {
  await rail?.stop()
})

test('a published package becomes a target in less than 80 lines', () => {
  const lines = (file: string) => readFileSync(`${folder}${file}`, 'utf8').split('\n').length
  expect(files('.mjs').filter((file) => lines(file) >= 80)).toEqual([])
  expect(files('.mjs').length).toBeGreaterThan(10)
})

test('every manifest is one', async () => {
  const targets = await Promise.all(files('.json').map((file) => readTarget(`${folder}${file}`)))
  expect(targets.map(({ name, roles }) => [name, Object.keys(roles)])).toEqual([
    ['@faremeter', ['facilitator', 'server', 'client']],
    ['x402 (version 1)', ['facilitator', 'server', 'client']],
    ['@x402 (hono, axios)', ['server', 'client']],
    ['@x402 (express, fetch)', ['facilitator', 'server', 'client']],
  ])
})

// The others are started by `npm run peers`: loading them all takes longer than their tests.
test('the official one starts by its manifest, and pays, sells and settles what is right', async () => {
  const target = await readTarget(`${folder}official.json`)
  const only = ['FAC-038/without-verify', 'SRV-001/verify-first', 'CLI-001/pays']
  const results: CheckResult[] = []
  for await (const event of run({ target, rails: [rail], families: ['evm'], only }))
    if (event.type === 'result') results.push(event)
  expect(results.map(({ role, status, finding }) => [role, status, finding])).toEqual([
    ['facilitator', 'pass', undefined],
    ['server', 'pass', undefined],
    ['client', 'pass', undefined],
  ])
}, 120_000)
