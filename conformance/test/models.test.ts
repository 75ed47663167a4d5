import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { facilitatorMutants } from '../mutants/facilitators.js'
import { spoil } from '../mutants/middle.js'
import { conform, type Rail, readRegressions, startRail, type Target } from '../src/index.js'
import { openFacilitator } from '../targets/ours/facilitator.js'

let rail: Rail
let folder: string
beforeAll(async () => {
  rail = await startRail('evm')
  folder = await mkdtemp(join(tmpdir(), 'groat-regressions-'))
}, 60_000)
afterAll(async () => {
  await rail?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Says that a payment settled again, by a transaction that there is not. */
const forgetful: Target = {
  name: 'forgetful',
  roles: {
    facilitator: {
      async open(env) {
        const honest = await openFacilitator(env)
        const mutant = facilitatorMutants.find(({ name }) => name === 'a new transaction for every question')
        const spoilt = await spoil(
          honest.url,
          mutant?.fault(env) ?? (() => Promise.reject(new Error('no such mutant'))),
        )
        return { url: spoilt.url, close: () => spoilt.close().then(() => honest.close()) }
      },
    },
  },
}

test('a sequence that breaks a law is shrunk and written down; the next run tries it first', async () => {
  const options = { rails: [rail], families: ['evm'] as const, only: ['FAC-031/sequences'], seed: 5, runs: 8 }
  const first = await conform({ ...options, target: forgetful, regressionsIn: folder })
  expect(first.record.results.map(({ status }) => status)).toEqual(['fail'])
  expect(await readdir(folder)).toEqual(['FAC-031-sequences-evm.json'])
  const [found] = await readRegressions(folder)
  expect(found).toMatchObject({ requirement: 'FAC-031', check: 'FAC-031/sequences/evm' })
  // Two actions are the least that shows it.
  expect(String(found?.counterexample)).toMatch(/^settle (2 times at once )?payment \d+(,settle payment \d+)?$/)

  // Under another seed what was found is found again, by its own path and before anything is drawn.
  const again = await conform({ ...options, seed: 99, target: forgetful, regressionsIn: folder })
  expect(again.record.results.map(({ path, pathSeed }) => [path, pathSeed])).toEqual([[found?.path, found?.seed]])

  const honest: Target = { name: 'groat', roles: { facilitator: { open: openFacilitator } } }
  const right = await conform({ ...options, target: honest, regressionsIn: folder })
  expect(right.record.results.map(({ status, finding }) => [status, finding])).toEqual([['pass', undefined]])
}, 120_000)
