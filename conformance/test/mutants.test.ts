import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientExperimentMutants } from '../mutants/client-experiments.js'
import { clientExtensionMutants } from '../mutants/client-extensions.js'
import { overFault } from '../mutants/client-over.js'
import { clientTransportMutants } from '../mutants/client-transports.js'
import { brokenClient, clientMutants } from '../mutants/clients.js'
import { alwaysNo, alwaysYes, facilitatorMutants, type Mutant } from '../mutants/facilitators.js'
import { brokenLibrary, libraryMutants } from '../mutants/libraries.js'
import { spoil } from '../mutants/middle.js'
import { openBroken, type ServerMutant, serverAlwaysNo, serverAlwaysYes, serverMutants } from '../mutants/servers.js'
import {
  allChecks,
  type CheckResult,
  type Family,
  type Rail,
  type Role,
  run,
  startRail,
  type Target,
} from '../src/index.js'
import { openFacilitator, supports } from '../targets/ours/facilitator.js'
import { routes } from '../targets/ours/server.js'

let rails: readonly Rail[]
let honest: { readonly url: string; close(): Promise<void> }
beforeAll(async () => {
  rails = await Promise.all([startRail('evm'), startRail('svm')])
  const [evm, svm] = rails.map(({ rpcUrl }) => rpcUrl)
  honest = await openFacilitator({
    X402_EVM_RPC_URL: evm,
    X402_EVM_NETWORK: 'eip155:84532',
    X402_EVM_PRIVATE_KEY: '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
    X402_SVM_RPC_URL: svm,
    X402_SVM_NETWORK: 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1',
    X402_SVM_SECRET_KEY: '2AXDGYSE4f2sz7tvMMzyHvUfcoJmxudvdhBcmiUSo6iuCXagjUCKEQF21awZnUGxmwD4m9vGXuC3qieHXJQHAcT',
  })
}, 60_000)
afterAll(async () => {
  await honest?.close()
  for (const rail of rails ?? []) await rail.stop()
})

const killed = new Set<string>()

/** The kill matrix is written by `npm run mutants`, and held against the table here. */
const file = new URL('../mutants/KILLS.md', import.meta.url)
const title = (role: string) => `\n## Broken ${role}\n\n| what is wrong with it | checks that notice |\n| --- | --- |\n`
const rows = (mutants: readonly Pick<Mutant, 'name' | 'kills'>[]) =>
  mutants.map(({ name, kills }) => `| ${name} | ${kills.join(', ')} |\n`).join('')

test('the published kill matrix is that of the table', async () => {
  const matrix = [
    '# Which broken target is noticed by which check\n\nEach has one fault. `npm run mutants` plays them all and writes this file.\n',
    title('facilitators'),
    rows(facilitatorMutants),
    title('servers'),
    rows(serverMutants),
    title('clients'),
    rows([...clientMutants, ...overMutants]),
    title('libraries'),
    rows(libraryMutants),
  ]
  if (process.env.GROAT_MUTANT_RUNS !== undefined) await writeFile(file, matrix.join(''))
  expect(await readFile(file, 'utf8')).toBe(matrix.join(''))
  expect(facilitatorMutants.length + serverMutants.length + clientMutants.length).toBeGreaterThan(60)
})

async function survivors(
  target: Target,
  only: readonly string[],
  families: readonly Family[],
): Promise<readonly string[]> {
  const results: CheckResult[] = []
  for await (const event of run({
    target,
    only,
    families,
    rails,
    profile: 'hardening',
    runs: Number(process.env.GROAT_MUTANT_RUNS ?? 8),
    seed: 3,
  })) {
    if (event.type === 'result') results.push(event)
  }
  for (const { check, status } of results)
    if (status !== 'pass' && status !== 'not-applicable') killed.add(nameOf(check))
  const played = new Set(results.map(({ check }) => check))
  const absent = only.filter((id) => /\/(evm|svm)$/.test(id) && !played.has(id)).map((id) => `${id} was not played`)
  const alive = results.filter(({ status }) => status === 'pass' || status === 'not-applicable')
  return [...alive.map(({ check }) => check), ...absent]
}

const nameOf = (check: string) => check.replace(/\/(evm|svm)$/, '')
const familiesOf = (ids: readonly string[]): readonly Family[] =>
  ids.some((id) => id.endsWith('/svm')) ? (ids.some((id) => id.endsWith('/evm')) ? ['evm', 'svm'] : ['svm']) : ['evm']
const idsOf = (role: Role) => allChecks().filter((each) => each.role === role)

/** Every check that is named has to notice the fault. */
async function expectKilled(target: Target, { kills }: Mutant): Promise<void> {
  expect(await survivors(target, kills, familiesOf(kills))).toEqual([])
}

describe('facilitators', () => {
  const target = (mutant: Mutant): Target => ({
    name: mutant.name,
    supports,
    roles: { facilitator: { open: () => spoil(honest.url, mutant.fault({})) } },
  })
  test.each(facilitatorMutants.map((mutant) => [mutant.name, mutant] as const))(
    'one that %s is noticed',
    async (_, mutant) => {
      await expectKilled(target(mutant), mutant)
    },
    60_000,
  )

  test('always yes, always no: between them and the others, every check can fail', async () => {
    const every = idsOf('facilitator').map(({ id }) => id)
    await survivors(target(alwaysYes), every, ['evm', 'svm'])
    await survivors(target(alwaysNo), every, ['evm', 'svm'])
    expect(every.filter((id) => !killed.has(id))).toEqual([])
  }, 180_000)
})

describe('servers', () => {
  const target = (mutant: ServerMutant): Target => ({
    name: mutant.name,
    routes,
    roles: { server: { open: openBroken(mutant) } },
  })
  test.each(serverMutants.map((mutant) => [mutant.name, mutant] as const))(
    'one that %s is noticed',
    async (_, mutant) => {
      await expectKilled(target(mutant), mutant)
    },
    60_000,
  )

  test('always yes, always no: between them and the others, every check can fail', async () => {
    const every = idsOf('server')
      .map(({ id }) => id)
      .filter((id) => id !== 'SRV-013/hang')
    await survivors(target(serverAlwaysYes), every, ['evm', 'svm'])
    await survivors(target(serverAlwaysNo), every, ['evm'])
    expect(every.filter((id) => !killed.has(id))).toEqual([])
  }, 180_000)
})

const overMutants = [...clientExtensionMutants, ...clientExperimentMutants, ...clientTransportMutants]

describe('clients', () => {
  const broken = [
    ...clientMutants.map(({ faults, ...mutant }) => ({ ...mutant, client: { fetch: brokenClient(faults) } })),
    ...overMutants.map(({ fault, ...mutant }) => ({ ...mutant, client: overFault(fault) })),
  ]
  test.each(broken.map((mutant) => [mutant.name, mutant] as const))(
    'one that %s is noticed',
    async (_, { name, kills, client }) => {
      expect(await survivors({ name, roles: { client } }, kills, familiesOf(kills))).toEqual([])
    },
    60_000,
  )

  test('every check of a client can fail', () => {
    expect(
      idsOf('client')
        .map(({ id }) => id)
        .filter((id) => !killed.has(id)),
    ).toEqual([])
  })
})

describe('libraries', () => {
  test.each(libraryMutants.map((mutant) => [mutant.name, mutant] as const))(
    'one that %s is noticed',
    async (_, mutant) => {
      const target: Target = { name: mutant.name, roles: { library: { vector: brokenLibrary(mutant) } } }
      // All of them: every check has to fail for one of these.
      const alive = await survivors(target, ['*'], ['evm'])
      expect(mutant.kills.filter((id) => alive.includes(id))).toEqual([])
    },
  )

  test('one without a fault passes, and every check of a library can fail', async () => {
    const honest = { name: 'honest', kills: [], fault: (right: Readonly<Record<string, unknown>>) => right }
    const every = idsOf('library').map(({ id }) => id)
    expect(every.filter((id) => !killed.has(id))).toEqual([])
    const target: Target = { name: 'honest', roles: { library: { vector: brokenLibrary(honest) } } }
    expect((await survivors(target, ['*'], ['evm'])).length).toBe(every.length)
  })
})
