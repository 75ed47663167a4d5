import type { EvmRail } from '../chain/evm.js'
import type { Payer, Rail, Sponsor } from '../chain/rail.js'
import type { SvmRail } from '../chain/svm.js'
import { type Answer, type Http, isObject, jsonIn, objectIn } from '../http/exchange.js'
import { expectSame, expectThat, fail, notApplicable, show, untestable, warn } from '../model/finding.js'
import type { Found } from '../model/property.js'
import {
  encodePayment,
  encodeRequest,
  encodeRequirements,
  type Payment,
  type Requirements,
  type Terms,
} from '../wire/messages.js'

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
}

/** The answer of `/verify`. */
export type Verdict = {
  readonly answer: Answer
  readonly body: Readonly<Record<string, unknown>>
  readonly isValid: boolean
  /** The code in `invalidReason`, or in whatever stands in its place. */
  readonly reason: string | undefined
}

/** The answer of `/settle`. */
export type Receipt = {
  readonly answer: Answer
  readonly body: Readonly<Record<string, unknown>>
  readonly success: boolean
  readonly transaction: string
  readonly reason: string | undefined
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

/** Fails unless a payment was refused; warns when the reason is none of these codes. */
export function expectRefused(verdict: Verdict, codes: readonly string[], because: string): void {
  const { answer, isValid, reason } = verdict
  if (isValid) fail(`/verify accepts ${because}`, 'isValid: false', answer.text)
  if (answer.status >= 500)
    fail(`/verify blames itself for ${because}`, 'isValid: false', `${answer.status} ${answer.text}`)
  const isVerdict = verdict.body.isValid === false || (answer.status >= 400 && answer.status < 500)
  if (!isVerdict) fail(`/verify gives no verdict on ${because}`, 'isValid: false', `${answer.status} ${answer.text}`)
  if (codes.length > 0 && !codes.includes(reason ?? '')) {
    warn(`/verify refuses ${because} for another reason`, codes.join(' or '), reason ?? 'no reason')
  }
}

/** Fails unless the payment was accepted. */
export function expectValid({ answer, isValid }: Verdict, what = 'a payment that is right'): void {
  if (!isValid) fail(`/verify refuses ${what}`, 'isValid: true', `${answer.status} ${answer.text}`)
}

/** Fails unless the receipt says that the payment settled. */
export function expectSettled({ answer, success }: Receipt, what = 'a payment that is right'): void {
  if (!success) fail(`/settle refuses ${what}`, 'success: true', `${answer.status} ${answer.text}`)
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
}

/** A stage for one check. */
export function createFacilitatorStage(setup: FacilitatorSetup): FacilitatorStage {
  const { http, url, version: usual, rail, runs, seed, path, regressions = [] } = setup
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

  async function sponsor(of: Rail, version: 1 | 2): Promise<Sponsor> {
    const { kinds } = await supported()
    const kind = kinds.find(
      (each) =>
        each.x402Version === version &&
        each.scheme === 'exact' &&
        each.network === (version === 2 ? of.network : of.v1Network),
    )
    if (kind === undefined) {
      if (version === 1 && usual === 2) notApplicable('the facilitator does not list version 1 of this network')
      untestable(`/supported does not list exact on ${version === 2 ? of.network : of.v1Network}`)
    }
    const feePayer = isObject(kind.extra) ? kind.extra.feePayer : undefined
    return typeof feePayer === 'string' ? { feePayer } : {}
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
    async scene({ version = usual, amount = 10_000n, holds = amount * 20n, terms: change = {} } = {}) {
      const of = need()
      const by = await sponsor(of, version)
      const [payer, recipient] = await Promise.all([of.payer(holds), of.recipient()])
      const terms = { ...of.terms(recipient, amount, by), ...change }
      const requirements = encodeRequirements(terms, version)
      const payload = await of.pay(payer, terms)
      const payment = encodePayment(requirements, payload, version)
      const scene = { version, payer, recipient, terms, requirements, payload, payment, held: holds }
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

/** What an answer of `/verify` says. */
export function readVerdict(answer: Answer): Verdict {
  const body = jsonIn(answer)
  const members = isObject(body) ? body : {}
  return { answer, body: members, isValid: members.isValid === true, reason: codeIn(members, 'invalidReason') }
}

/** What an answer of `/settle` says. */
export function readReceipt(answer: Answer): Receipt {
  const body = jsonIn(answer)
  const members = isObject(body) ? body : {}
  const transaction = typeof members.transaction === 'string' ? members.transaction : ''
  return {
    answer,
    body: members,
    success: members.success === true,
    transaction,
    reason: codeIn(members, 'errorReason'),
  }
}

/** The code is what stands before the first colon and space. */
function codeIn(body: Readonly<Record<string, unknown>>, member: string): string | undefined {
  const found = [body[member], body.code, body.error].find((each) => typeof each === 'string')
  return typeof found === 'string' ? found.split(': ')[0] : undefined
}
