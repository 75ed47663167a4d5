import type { EvmRail } from '../chain/evm.js'
import type { Payer, Rail } from '../chain/rail.js'
import type { SvmRail } from '../chain/svm.js'
import { type Answer, type Http, isObject, objectIn } from '../http/exchange.js'
import { expectSame, expectThat, fail, notApplicable, show, untestable } from '../model/finding.js'
import type { Found } from '../model/property.js'
import type { Family } from '../model/result.js'
import {
  encodePayment,
  encodeRequest,
  encodeRequirements,
  type Payment,
  type Requirements,
  type Terms,
} from '../wire/messages.js'
import { type Receipt, readReceipt, readVerdict, type Verdict } from './answers.js'
import type { Way } from './ways.js'

/** A payment that is right in every respect, and everything that it was made of. */
export type Scene = {
  readonly version: 1 | 2
  readonly payer: Payer
  readonly recipient: string
  readonly terms: Terms
  readonly requirements: Requirements
  readonly payload: unknown
  readonly payment: Payment
  /** What the payer held when the scene was set. */
  readonly held: bigint
}

/** What is settled differently from the usual scene. */
export type SceneOptions = {
  readonly version?: 1 | 2
  readonly amount?: bigint
  /** What the payer holds; twenty times the amount unless told, so that a second payment would succeed. */
  readonly holds?: bigint
  readonly terms?: Partial<Terms>
  /** Another scheme or transfer method than the usual one of the chain. */
  readonly way?: Way
}

/** What a facilitator says that it serves. */
export type Supported = Readonly<Record<string, unknown>> & { readonly kinds: readonly Kind[] }

/** One entry of `kinds`. */
export type Kind = Readonly<Record<string, unknown>>

/** Where a facilitator is tested: its API, chains that the kit owns, and payers with money on them. */
export interface FacilitatorStage {
  readonly http: Http
  /** Tries of a property or a model, and its seed. */
  readonly runs: number
  readonly seed: number
  /** Continues at a counterexample that was found before. */
  readonly path?: string
  readonly regressions?: readonly Found[]
  readonly rail: Rail
  readonly evm: EvmRail
  readonly svm: SvmRail
  url(path: string): string
  supported(): Promise<Supported>
  /** A payer with money and a right payment. */
  scene(options?: SceneOptions): Promise<Scene>
  /** The payment of a scene with another payload. */
  withPayload(scene: Scene, payload: unknown): Payment
  verify(payment: unknown, requirements: unknown): Promise<Verdict>
  settle(payment: unknown, requirements: unknown): Promise<Receipt>
  /** Posts any body. */
  post(path: '/verify' | '/settle', body: unknown): Promise<Answer>
  /** The scenes that were set, for what became of their money. */
  readonly scenes: readonly Scene[]
}

/** Fails unless the chain shows that this payment moved the value so often, to the recipient, and by the transaction that the receipt names. */
export async function expectMoved(
  stage: FacilitatorStage,
  scene: Scene,
  times: 0 | 1,
  receipt?: Receipt,
): Promise<void> {
  const amount = BigInt(scene.terms.amount)
  const [held, earned, transfers] = await Promise.all([
    stage.rail.balance(scene.payer.address),
    stage.rail.balance(scene.recipient),
    stage.rail.transfersOf(scene.payer),
  ])
  const moved = { payer: held - scene.held, recipient: earned, transfers }
  const right = { payer: -amount * BigInt(times), recipient: amount * BigInt(times), transfers: times }
  expectSame('the chain does not show what it should', right, moved)
  if (times === 0 || receipt === undefined) return
  const inside = await stage.rail.transfersIn(receipt.transaction)
  expectThat(
    inside?.some(
      (each) => same(each.from, scene.payer.address) && same(each.to, scene.recipient) && each.amount === amount,
    ) === true,
    'the transaction of the receipt did not move this payment',
    `${amount} from ${scene.payer.address} to ${scene.recipient}`,
    inside === undefined ? `no such transaction on the chain: ${show(receipt.transaction)}` : inside,
  )
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

/** What a stage is made of. */
export type FacilitatorSetup = {
  readonly http: Http
  readonly url: string
  /** What scenes are made in unless a check says. */
  readonly version: 1 | 2
  readonly rail: Rail | undefined
  readonly runs: number
  readonly seed: number
  readonly path?: string
  readonly regressions?: readonly Found[]
  /** Whether the target claims a scheme on a family of chains, or a transfer method of one. */
  claims(family: Family, scheme: string, transfer?: string): boolean
  /** Why ways are not served, of those that were tried; shared by the checks of a run. */
  readonly refusedWays: Map<string, Promise<string | undefined>>
}

/** A stage for one check. */
export function createFacilitatorStage(setup: FacilitatorSetup): FacilitatorStage {
  const { http, url, version: usual, rail, runs, seed, path, regressions = [], claims, refusedWays } = setup
  const base = url.replace(/\/$/, '')
  const scenes: Scene[] = []
  let known: Promise<Supported> | undefined

  async function ask(): Promise<Supported> {
    const body = objectIn(await http.send({ url: `${base}/supported` }), 'the answer of GET /supported')
    const kinds = Array.isArray(body.kinds)
      ? body.kinds.filter(isObject)
      : fail('/supported has no `kinds`', 'an array', body)
    return { ...body, kinds }
  }
  const supported = () => {
    known ??= ask()
    return known
  }

  function need(): Rail {
    return rail ?? untestable('there is no chain of the kit that the facilitator settles on')
  }

  async function kindOf(of: Rail, version: 1 | 2, scheme: string): Promise<Kind> {
    const network = version === 2 ? of.network : of.v1Network
    const { kinds } = await supported()
    const kind = kinds.find(
      (each) => each.x402Version === version && each.scheme === scheme && each.network === network,
    )
    if (kind !== undefined) return kind
    if (version === 1 && usual === 2) notApplicable('the facilitator does not list version 1 of this network')
    const missing = `/supported does not list ${scheme} on ${network}`
    return scheme === 'exact' || claims(of.family, scheme) ? untestable(missing) : notApplicable(missing)
  }

  async function set({
    version = usual,
    amount = 10_000n,
    holds = amount * 20n,
    terms: change = {},
    way,
  }: SceneOptions): Promise<Scene> {
    const of = need()
    const kind = await kindOf(of, version, way?.scheme ?? 'exact')
    const [payer, recipient] = await Promise.all([of.payer(holds), of.recipient()])
    const feePayer = isObject(kind.extra) ? kind.extra.feePayer : undefined
    const plain = of.terms(recipient, amount, typeof feePayer === 'string' ? { feePayer } : {})
    const terms = { ...(way?.terms(plain, kind) ?? plain), ...change }
    const requirements = encodeRequirements(terms, version)
    await way?.prepare?.(stage.evm, payer)
    const payload = await (way === undefined ? of.pay(payer, terms) : way.pay(stage.evm, payer, terms))
    const payment = encodePayment(requirements, payload, version)
    return { version, payer, recipient, terms, requirements, payload, payment, held: holds }
  }

  /** A transfer method is listed nowhere: whether it is served is seen by a payment that is right. */
  async function mustServe({ scheme, transfer }: Way, options: SceneOptions): Promise<void> {
    if (transfer === undefined || claims(need().family, scheme, transfer)) return
    const why =
      refusedWays.get(transfer) ??
      set({ ...(options.way && { way: options.way }) }).then(async ({ payment, requirements }) => {
        const { isValid, reason } = await stage.verify(payment, requirements)
        return isValid ? undefined : (reason ?? 'no reason')
      })
    refusedWays.set(transfer, why)
    // Whoever did not answer is asked again.
    const reason = await why.catch((error) => {
      refusedWays.delete(transfer)
      throw error
    })
    if (reason !== undefined)
      notApplicable(`the facilitator refuses a right payment by ${transfer} (${reason}), and the target claims none`)
  }

  async function post(endpoint: '/verify' | '/settle', body: unknown): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return http.send({
      method: 'POST',
      url: `${base}${endpoint}`,
      headers: { 'content-type': 'application/json' },
      body: text ?? '',
      timeoutMs: endpoint === '/settle' ? 45_000 : 15_000,
    })
  }

  const stage: FacilitatorStage = {
    http,
    runs,
    seed,
    regressions,
    ...(path === undefined ? {} : { path }),
    get rail() {
      return need()
    },
    get evm() {
      const found = need()
      // The family says which rail it is.
      return found.family === 'evm' ? (found as EvmRail) : untestable('there is no EVM chain')
    },
    get svm() {
      const found = need()
      return found.family === 'svm' ? (found as SvmRail) : untestable('there is no Solana chain')
    },
    url: (where) => `${base}${where}`,
    supported,
    scenes,
    async scene(options = {}) {
      if (options.way !== undefined) await mustServe(options.way, options)
      const scene = await set(options)
      scenes.push(scene)
      return scene
    },
    withPayload: ({ requirements, version }, payload) => encodePayment(requirements, payload, version),
    post,
    async verify(payment, requirements) {
      const answer = await post('/verify', encodeRequest(asPayment(payment), asPayment(requirements)))
      return readVerdict(answer)
    },
    async settle(payment, requirements) {
      const answer = await post('/settle', encodeRequest(asPayment(payment), asPayment(requirements)))
      return readReceipt(answer)
    },
  }
  return stage
}

/** Checks put in what is no object on purpose. */
const asPayment = (value: unknown) => (value ?? {}) as Payment
