import type { Rail } from '../chain/rail.js'
import { takeRail } from '../chain/start.js'
import { createHttp, isObject, jsonIn } from '../http/exchange.js'
import { type Check, matches } from '../model/check.js'
import { notApplicable, untestable } from '../model/finding.js'
import type { ChainDiff, Family } from '../model/result.js'
import { jobsOf, type Session } from '../run/session.js'
import { claimedFamilies, type Endpoint, isClaimed, type Support, versionOf } from '../target/manifest.js'
import { openLasting, UnreachableError } from '../target/process.js'
import { apiChecks } from './api.js'
import { batchEvmChecks } from './batch-evm.js'
import { catalogueChecks } from './catalogue.js'
import { codedChecks } from './coded.js'
import { exactEvmChecks } from './exact-evm.js'
import { exactSvmChecks } from './exact-svm.js'
import { listingChecks } from './listed.js'
import { facilitatorModels } from './models.js'
import { exactPermit2Checks } from './permit2.js'
import { facilitatorProperties } from './properties.js'
import { screeningChecks } from './screened.js'
import { settleChecks } from './settle.js'
import { createFacilitatorStage, type FacilitatorStage } from './stage.js'
import { uptoEvmChecks } from './upto-evm.js'
import { verifyChecks } from './verify.js'

/** Everything that is asked of a facilitator. */
export const facilitatorChecks: readonly Check<FacilitatorStage>[] = [
  ...apiChecks,
  ...listingChecks,
  ...screeningChecks,
  ...verifyChecks,
  ...settleChecks,
  ...exactEvmChecks,
  ...exactSvmChecks,
  ...exactPermit2Checks,
  ...uptoEvmChecks,
  ...batchEvmChecks,
  ...codedChecks,
  ...facilitatorProperties,
  ...facilitatorModels,
  // Something was sold by now.
  ...catalogueChecks,
]

/** Checks of what version 1 does not have: an echoed offer, CAIP-2 names, and more in `/supported`. */
const ofVersion2 = [
  'FAC-009/without-amount',
  'FAC-010/without-accepted',
  'FAC-013',
  'FAC-033/other-terms',
  'FAC-041/network',
  'FAC-050/other-signature',
  'FAC-063/extensions',
  'FAC-064/signers',
  'CORE-013/any-member',
  'CORE-051',
  'CORE-052',
  'CORE-063/spelling',
  'EVM-EXACT-030/scheme',
  'EVM-EXACT-031/network',
  'SVM-EXACT-020/scheme',
  'SVM-EXACT-021/network',
]

/** Nodes that run already, by family. */
export type NodeUrls = Partial<Readonly<Record<Family, string>>>

/** Opens a facilitator and the chains that it settles on. Throws `UnreachableError`. */
export async function openFacilitator(
  endpoint: Endpoint,
  {
    supports,
    nodes,
    only,
    rails: given,
    answerMs = 5_000,
  }: {
    readonly supports?: readonly Support[]
    readonly nodes: NodeUrls
    readonly only?: readonly Family[]
    readonly rails?: readonly Rail[]
    readonly answerMs?: number
  },
): Promise<Session> {
  const runsAlready = 'url' in endpoint
  const version = versionOf(supports)
  const wanted = (['evm', 'svm'] as const).filter((family) => only?.includes(family) ?? true)
  const rails: Rail[] = []
  const closing: (() => Promise<void>)[] = []
  try {
    for (const family of wanted) {
      // A facilitator that runs already has its chain; a new one would not be the same.
      if (runsAlready && nodes[family] === undefined) continue
      if (!claimedFamilies(supports).includes(family)) continue
      rails.push(await takeRail(family, { given, rpcUrl: nodes[family], closing }))
    }
    const program = await openLasting(endpoint, environmentOf(rails))
    closing.push(() => program.close())
    const listed = await familiesOf(await program.url(), answerMs)
    const claimed = wanted.filter(
      (family) => listed.includes(family) || (supports !== undefined && claimedFamilies(supports).includes(family)),
    )
    const refusedWays = new Map<string, Promise<string | undefined>>()
    // With nothing listed the checks still run, and say what is missing.
    const families = claimed.length > 0 ? claimed : wanted.slice(0, 1)
    return {
      jobs: jobsOf(
        facilitatorChecks,
        families,
        async (check, family, { http, runs, seed, path, regressions, onEnd }) => {
          const rail = rails.find((each) => each.family === family)
          if (family !== undefined && rail === undefined) {
            untestable(`the kit needs the node on which the facilitator settles: give --${family}-rpc URL`)
          }
          if (version === 1 && ofVersion2.some((pattern) => matches(pattern, check.id)))
            notApplicable('the target has version 1 only')
          const stage = createFacilitatorStage({
            http,
            version,
            url: await program.url(),
            rail,
            claims: (of, scheme, transfer) => isClaimed(supports, of, scheme, transfer),
            refusedWays,
            runs,
            seed,
            regressions,
            ...(path === undefined ? {} : { path }),
          })
          onEnd(() => diffsOf(stage, rail))
          await check.run(stage)
        },
      ),
      ended: () => program.ended(),
      close: async () => {
        for (const close of closing.reverse()) await close()
      },
    }
  } catch (error) {
    for (const close of closing.reverse()) await close()
    throw error
  }
}

/** Families of the networks that `/supported` lists and the kit knows. */
async function familiesOf(url: string, answerMs: number): Promise<readonly Family[]> {
  const http = createHttp({ note: () => {}, limits: { timeoutMs: 5_000, mostMs: answerMs } })
  const answer = await http.attempt({ url: `${url.replace(/\/$/, '')}/supported` })
  if ('silent' in answer) {
    // Whoever hangs or closes is there, and the checks say what is wrong with it.
    if (/refuses|could not be reached/.test(answer.silent)) throw new UnreachableError(`${url} ${answer.silent}`)
    return []
  }
  const body = jsonIn(answer)
  const kinds = isObject(body) && Array.isArray(body.kinds) ? body.kinds.filter(isObject) : []
  const networks = kinds.map(({ network }) => String(network))
  const known = { evm: 'eip155:84532', svm: 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1' }
  return (['evm', 'svm'] as const).filter((family) => networks.includes(known[family]))
}

/** What a facilitator that the kit starts is told. */
export function environmentOf(rails: readonly Rail[]): Readonly<Record<string, string>> {
  const evm = rails.find(({ family }) => family === 'evm')
  const svm = rails.find(({ family }) => family === 'svm')
  return {
    PORT: '0',
    ...(evm === undefined
      ? {}
      : { X402_EVM_RPC_URL: evm.rpcUrl, X402_EVM_NETWORK: evm.network, X402_EVM_PRIVATE_KEY: evmSender }),
    ...(svm === undefined
      ? {}
      : { X402_SVM_RPC_URL: svm.rpcUrl, X402_SVM_NETWORK: svm.network, X402_SVM_SECRET_KEY: svmSender }),
  }
}

// Accounts of every sandbox chain that hold gas money. Everybody knows the keys.
const evmSender = '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a'
const svmSender = '2AXDGYSE4f2sz7tvMMzyHvUfcoJmxudvdhBcmiUSo6iuCXagjUCKEQF21awZnUGxmwD4m9vGXuC3qieHXJQHAcT'

async function diffsOf({ scenes }: FacilitatorStage, rail: Rail | undefined): Promise<readonly ChainDiff[]> {
  if (rail === undefined) return []
  const rows = scenes.slice(0, 4).flatMap(({ payer, recipient, held }) => [
    { who: 'payer', account: payer.address, before: held },
    { who: 'recipient', account: recipient, before: 0n },
  ])
  return Promise.all(
    rows.map(async ({ who, account, before }) => {
      const after = await rail.balance(account)
      return { who, account, network: rail.network, before: before.toString(), after: after.toString() }
    }),
  )
}
