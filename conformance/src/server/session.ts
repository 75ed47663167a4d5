import type { Rail } from '../chain/rail.js'
import { takeRail } from '../chain/start.js'
import { type Check, onceBut } from '../model/check.js'
import { notApplicable } from '../model/finding.js'
import type { ChainDiff, Exchange, Family } from '../model/result.js'
import { type Job, jobsOf, type Session } from '../run/session.js'
import { claimedFamilies, type Endpoint, type Support, versionOf } from '../target/manifest.js'
import { type Lasting, openLasting, startCommand, UnreachableError } from '../target/process.js'
import { a2aChecks } from './a2a.js'
import { announcedChecks } from './announced.js'
import { bindingChecks } from './bound.js'
import { codeChecks } from './coded.js'
import { complianceChecks } from './complying.js'
import { descriptionChecks, words } from './described.js'
import { origin, signingJwk, signingKey } from './extended.js'
import { mcpChecks } from './mcp.js'
import { linkOverStdio } from './mcp-links.js'
import { identifierChecks } from './named.js'
import { offerChecks } from './offers.js'
import { paymentChecks } from './payments.js'
import { refundChecks } from './refunding.js'
import { startScriptedFacilitator } from './scripted-facilitator.js'
import { settlementChecks } from './settlements.js'
import { signedOfferChecks } from './signed.js'
import { signInChecks } from './signed-in.js'
import { createReadOnlyStage, createServerStage, type Sale, type ServerStage } from './stage.js'
import { asVersion1 } from './version-1.js'

/** Everything that is asked of a resource server. */
export const serverChecks: readonly Check<ServerStage>[] = [
  ...offerChecks,
  ...paymentChecks,
  ...settlementChecks,
  ...announcedChecks,
  ...identifierChecks,
  ...signInChecks,
  ...signedOfferChecks,
  ...codeChecks,
  ...onceBut(bindingChecks, 'EXT-BIND-004/bound', 'EXT-BIND-004/body', 'EXT-BIND-005/unbound'),
  ...onceBut(complianceChecks, 'EXT-COMPLY-007/record'),
  ...onceBut(refundChecks, 'EXT-REFUND-003/payer', 'EXT-REFUND-003/stranger'),
  ...onceBut(descriptionChecks),
  ...mcpChecks,
  ...onceBut(a2aChecks, 'A2A-003/paid', 'A2A-004/receipt'),
]

const allRoutes = ['failing', 'throwing', 'cached', 'forged', 'stream']

/** What can be seen of a server that runs, without its facilitator: its offers. The rest is not asked. */
const readOnly = new Set([
  'HTTP-002/header',
  'HTTP-020/base64',
  'HTTP-060/no-store',
  'CORE-001/version',
  'CORE-020/accepts',
  'CORE-026/extra',
  'CORE-028/timeout',
  'CORE-050/amount',
  'CORE-060/network',
  'HTTP-048/head',
  'HTTP-049/options',
  'HTTP-050/problem',
])

/** Checks that say nothing about the form of version 2. */
const inVersion1 = new Set([
  'HTTP-001/unpaid',
  'HTTP-012/twice',
  'HTTP-014/empty',
  'HTTP-048/head',
  'HTTP-061/private',
  'HTTP-062/not-public',
  'SEC-020/spellings',
  ...settlementChecks.map(({ id }) => id),
])

/** A paid URL that runs already. Nothing is paid. */
export function openPaidUrl(url: string): Session {
  const checks = serverChecks.filter(({ id }) => readOnly.has(id)).map((check) => ({ ...check, families: [] }))
  return {
    jobs: jobsOf(checks, [], (check, _, { http }) => check.run(createReadOnlyStage(http, url))),
    close: async () => {},
  }
}

/** Opens a server once for each family of chains, each with a facilitator that obeys the kit. Throws `UnreachableError`. */
export async function openServer(
  endpoint: Exclude<Endpoint, { readonly url: string }>,
  {
    supports,
    routes,
    only,
    rails: given,
  }: {
    readonly supports?: readonly Support[]
    readonly routes?: readonly string[]
    readonly only?: readonly Family[]
    readonly rails?: readonly Rail[]
  },
): Promise<Session> {
  const served = claimedFamilies(supports).filter((family) => only?.includes(family) ?? true)
  const closing: (() => Promise<void>)[] = []
  const close = async () => {
    for (const each of closing.reverse()) await each()
  }
  try {
    const jobs: Job[] = []
    const programs: Lasting[] = []
    for (const family of served) {
      const rail = await takeRail(family, { given, closing })
      const first = family === served[0]
      if ('start' in endpoint && endpoint.protocol === 'mcp') {
        jobs.push(...(await openProgram(endpoint, rail, { first, closing })))
        continue
      }
      const told = { routes: routes ?? allRoutes, version: versionOf(supports), first, closing, programs }
      jobs.push(...(await openOn(endpoint, rail, told)))
    }
    return { jobs, close, ended: () => programs.map((each) => each.ended()).find((why) => why !== undefined) }
  } catch (error) {
    await close()
    throw error
  }
}

async function openOn(
  endpoint: Exclude<Endpoint, { readonly url: string }>,
  rail: Rail,
  {
    routes,
    version,
    first,
    closing,
    programs,
  }: {
    readonly routes: readonly string[]
    readonly version: 1 | 2
    /** Of the families that are served: what is played once is played here. */
    readonly first: boolean
    readonly closing: (() => Promise<void>)[]
    readonly programs: Lasting[]
  },
): Promise<readonly Job[]> {
  // Checks of a server are played one after the other, so what the facilitator sees belongs to the one that is played.
  let listener: (exchange: Omit<Exchange, 'at'>) => void = () => {}
  const facilitator = await startScriptedFacilitator(rail.family, rail.network, rail.v1Network, (exchange) =>
    listener(exchange),
  )
  closing.push(() => facilitator.close())
  const sale = { payTo: await rail.recipient(), amount: '10000', network: rail.network, asset: rail.asset }
  const program = await openLasting(endpoint, environmentOf(rail, facilitator.url, sale))
  closing.push(() => program.close())
  programs.push(program)
  const checks = serverChecks.filter(({ once = false }) => first || !once)
  return jobsOf(checks, [rail.family], async (check, _, { http, runs, seed, path, regressions, note, onEnd }) => {
    listener = note
    onEnd(async (): Promise<readonly ChainDiff[]> => [])
    const more = { regressions, ...(path === undefined ? {} : { path }) }
    if (version === 1 && !inVersion1.has(check.id)) notApplicable('the target has version 1 only')
    const told = { url: await program.url(), version, rail, facilitator, sale, routes, runs, seed, ...more }
    await check.run(createServerStage({ http: version === 1 ? asVersion1(http) : http, ...told }))
  })
}

/** An MCP server over stdio: one program, and one connection to it for as long as it is tested. */
async function openProgram(
  { start, cwd, env = {} }: Extract<Endpoint, { readonly start: string }>,
  rail: Rail,
  { first, closing }: { readonly first: boolean; readonly closing: (() => Promise<void>)[] },
): Promise<readonly Job[]> {
  let listener: (exchange: Omit<Exchange, 'at'>) => void = () => {}
  const note = (exchange: Omit<Exchange, 'at'>) => listener(exchange)
  const facilitator = await startScriptedFacilitator(rail.family, rail.network, rail.v1Network, note)
  closing.push(() => facilitator.close())
  const sale = { payTo: await rail.recipient(), amount: '10000', network: rail.network, asset: rail.asset }
  const started = startCommand(start, { ...environmentOf(rail, facilitator.url, sale), ...env }, cwd)
  closing.push(() => started.stop())
  const mcp = await linkOverStdio(started, note).catch((cause: unknown) => {
    throw new UnreachableError(`\`${start}\` is no MCP server over stdio\n${started.complaints()}`.trimEnd(), { cause })
  })
  const checks = mcpChecks.filter(({ once = false }) => first || !once)
  return jobsOf(checks, [rail.family], async (check, _, { http, runs, seed, path, note: told }) => {
    listener = told
    const more = path === undefined ? {} : { path }
    const about = { url: 'stdio:', version: 2 as const, rail, facilitator, sale, routes: [], runs, seed, mcp, ...more }
    await check.run(createServerStage({ http, ...about }))
  })
}

function environmentOf(
  rail: Rail,
  facilitatorUrl: string,
  { network, payTo, asset, amount }: Sale,
): Readonly<Record<string, string>> {
  return {
    PORT: '0',
    X402_FACILITATOR_URL: facilitatorUrl,
    X402_NETWORK: network,
    X402_PAY_TO: payTo,
    X402_ASSET: asset,
    X402_AMOUNT: amount,
    X402_ORIGIN: origin,
    X402_WORDS: words,
    X402_SIGNING_KEY: signingKey,
    X402_SIGNING_JWK: JSON.stringify(signingJwk),
    ...(rail.family === 'svm' ? { X402_SVM_RPC_URL: rail.rpcUrl } : { X402_EVM_RPC_URL: rail.rpcUrl }),
  }
}
