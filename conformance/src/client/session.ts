import type { Rail } from '../chain/rail.js'
import { takeRail } from '../chain/start.js'
import { type Check, onceBut } from '../model/check.js'
import { notApplicable, untestable } from '../model/finding.js'
import type { Family } from '../model/result.js'
import { jobsOf, type Session } from '../run/session.js'
import { openClient } from '../target/client.js'
import { type ClientEndpoint, claimedFamilies, type Support, versionOf } from '../target/manifest.js'
import { clientA2aChecks } from './a2a.js'
import { choosingChecks } from './choosing.js'
import { experimentingChecks } from './experimenting.js'
import { extendingChecks } from './extending.js'
import { clientMcpChecks } from './mcp.js'
import { payingChecks } from './paying.js'
import { clientProperties } from './properties.js'
import { signingChecks } from './signing.js'
import { signingInChecks } from './signing-in.js'
import { type ClientStage, createClientStage } from './stage.js'

/** Everything that is asked of a client. */
export const clientChecks: readonly Check<ClientStage>[] = [
  ...choosingChecks,
  ...payingChecks,
  ...signingChecks,
  ...clientProperties,
  ...onceBut(extendingChecks),
  ...onceBut(experimentingChecks, 'EXT-BIND-002/request'),
  ...onceBut(signingInChecks, 'EXT-SIGN-020/text', 'EXT-SIGN-020/plain', 'EXT-SIGN-022/type', 'EXT-SIGN-022/chain'),
  ...onceBut(clientMcpChecks, 'MCP-030/meta', 'MCP-040/version-1'),
  ...onceBut(clientA2aChecks, 'A2A-030/submitted'),
]

/** Checks that say nothing about the form of version 2. */
const inVersion1 = new Set([
  'CLI-001/pays',
  'CLI-003/limit',
  'CLI-003/huge',
  'CLI-008/carries-one',
  'CLI-009/repeats',
  'CLI-010/other-origin',
  'CLI-013/second-402',
  'CLI-015/broken-off',
  'CLI-015/fault',
  'CLI-022/free',
  'CLI-022/other-status',
  'HTTP-065/headers',
  'ERR-002/refused',
  ...signingChecks.map(({ id }) => id),
])

/** Opens a client, and chains on which its wallet has money. Throws `UnreachableError`. */
export async function openClientSession(
  endpoint: ClientEndpoint,
  {
    supports,
    only,
    rails: given,
    answerMs,
  }: {
    readonly supports?: readonly Support[]
    readonly only?: readonly Family[]
    readonly rails?: readonly Rail[]
    readonly answerMs?: number
  },
): Promise<Session> {
  const families = claimedFamilies(supports).filter((family) => only?.includes(family) ?? true)
  const version = versionOf(supports)
  const closing: (() => Promise<void>)[] = []
  const close = async () => {
    for (const each of closing.reverse()) await each()
  }
  try {
    const rails: Rail[] = []
    for (const family of families) {
      rails.push(await takeRail(family, { given, closing }))
    }
    const session = await openClient(endpoint, answerMs)
    closing.push(() => session.close())
    return {
      close,
      jobs: jobsOf(clientChecks, families, async (check, family, { runs, seed, path, regressions, note }) => {
        const rail = rails.find((each) => each.family === family) ?? untestable('there is no chain')
        if (version === 1 && !inVersion1.has(check.id)) notApplicable('the target has version 1 only')
        // A wallet for each check: a careful client remembers what it paid.
        const [wallet, payTo] = [await rail.payer(1_000_000_000n), await rail.recipient()]
        const more = { regressions, ...(path === undefined ? {} : { path }) }
        const stage = createClientStage({ session, version, rail, wallet, payTo, runs, seed, note, ...more })
        try {
          await check.run(stage)
        } finally {
          await stage.close()
        }
      }),
    }
  } catch (error) {
    await close()
    throw error
  }
}
