import type { Payer, Rail } from '../chain/rail.js'
import { type Answer, type Http, isObject, jsonIn, type Silence } from '../http/exchange.js'
import { expectThat, fail, notApplicable, untestable } from '../model/finding.js'
import type { Found } from '../model/property.js'
import {
  decodeHeader,
  encodeHeader,
  encodePayment,
  type Payment,
  type Requirements,
  type Terms,
} from '../wire/messages.js'
import { hitsOver, type McpLink } from './mcp-links.js'
import { feePayer, type ScriptedFacilitator } from './scripted-facilitator.js'

/** What the server was told to sell for. */
export type Sale = { readonly payTo: string; readonly amount: string; readonly network: string; readonly asset: string }

/** A right payment for an offer, and the header that carries it. */
export type Paid = {
  readonly offer: Requirements
  readonly payment: Payment
  readonly header: string
  readonly payer: Payer
}

/** Where a resource server is tested: its routes, a facilitator that obeys the kit, and payers. */
export interface ServerStage {
  readonly http: Http
  readonly rail: Rail
  readonly runs: number
  readonly seed: number
  readonly path?: string
  readonly regressions?: readonly Found[]
  readonly facilitator: ScriptedFacilitator
  readonly sale: Sale
  /** Whether the server has this route of `/conformance/`; a check of one that it lacks does not apply. */
  needRoute(name: string): void
  /** Whether the target says that it has this route. */
  claims(name: string): boolean
  url(route: string): string
  /** Asks for a route, without a payment unless headers hold one. */
  ask(
    route: string,
    headers?: Readonly<Record<string, string | readonly string[]>>,
    method?: string,
    body?: string,
  ): Promise<Answer>
  /** The offer for a route. */
  offer(route?: string): Promise<Requirements>
  /** A right payment for a route, and not sent yet. */
  pay(route?: string): Promise<Paid>
  /** The payload of a payment for an offer, with a nonce that it is to bear. */
  payload(payer: Payer, offer: Requirements, nonce?: string): Promise<unknown>
  /** How often the work behind a route was done. */
  hits(route?: string): Promise<number>
  /** The MCP server of a target that is nothing else. */
  readonly mcp?: McpLink
}

/** What a stage is made of. */
export type ServerSetup = {
  readonly http: Http
  readonly url: string
  readonly version: 1 | 2
  readonly rail: Rail
  readonly runs: number
  readonly seed: number
  readonly path?: string
  readonly regressions?: readonly Found[]
  readonly facilitator: ScriptedFacilitator
  readonly sale: Sale
  readonly routes: readonly string[]
  readonly mcp?: McpLink
}

/** A stage for one check. The facilitator is honest again. */
export function createServerStage(setup: ServerSetup): ServerStage {
  const { http, version, rail, facilitator, routes } = setup
  const network = version === 2 ? rail.network : rail.v1Network
  const base = setup.url.replace(/\/$/, '')
  facilitator.play()

  const ask: ServerStage['ask'] = (route, headers = {}, method = 'GET', body) => {
    const content = body === undefined ? {} : { body }
    return http.send({ method, url: `${base}/conformance/${route}`, headers, timeoutMs: 20_000, ...content })
  }

  async function offer(route = 'paid'): Promise<Requirements> {
    const answer = await ask(route)
    const found = offersIn(answer).find((each) => each.scheme === 'exact' && each.network === network)
    if (found === undefined)
      fail(
        `the 402 of /conformance/${route} offers no exact on ${network}`,
        undefined,
        answer.headers['payment-required'] ?? answer.text,
      )
    return found
  }

  const payload: ServerStage['payload'] = (payer, offered, nonce) => rail.pay(payer, termsOf(offered, rail), nonce)

  async function counted(): Promise<unknown> {
    const answer = await ask('hits')
    if (answer.status === 404) untestable('the target does not count its work: there is no GET /conformance/hits')
    return jsonIn(answer)
  }

  return {
    ...setup,
    needRoute(name) {
      if (!routes.includes(name)) notApplicable(`the target has no route ${name}`)
    },
    claims: (name) => routes.includes(name),
    url: (route) => `${base}/conformance/${route}`,
    ask,
    offer,
    payload,
    async pay(route = 'paid') {
      const offered = await offer(route)
      const payer = await rail.payer(1_000_000n)
      const payment = {
        ...encodePayment(offered, await payload(payer, offered), version),
        resource: { url: `${base}/conformance/${route}` },
      }
      return { offer: offered, payment, header: encodeHeader(payment), payer }
    },
    async hits(route = 'paid') {
      const body = setup.mcp === undefined ? await counted() : await hitsOver(setup.mcp)
      const count = isObject(body) && isObject(body.hits) ? (body.hits[route] ?? 0) : undefined
      if (typeof count !== 'number') fail('/conformance/hits does not count', '{"hits":{"paid":0}}', body)
      return count
    },
  }
}

/** A stage for a paid URL that runs, where nothing can be scripted and nothing is paid. */
export function createReadOnlyStage(http: Http, url: string): ServerStage {
  const missing = () => untestable('this needs a server that the kit starts')
  return {
    http,
    runs: 1,
    seed: 1,
    get rail() {
      return missing()
    },
    get facilitator() {
      return missing()
    },
    get sale() {
      return missing()
    },
    needRoute: missing,
    claims: missing,
    url: () => url,
    ask: (_, headers = {}, method = 'GET') => http.send({ method, url, headers }),
    offer: missing,
    pay: missing,
    payload: missing,
    hits: missing,
  }
}

/** The offers in the header of a 402; none when it cannot be read. */
export function offersIn(answer: Answer): readonly Requirements[] {
  const { accepts } = decodeHeader(answer.headers['payment-required']) ?? {}
  return Array.isArray(accepts) ? accepts.filter(isObject) : []
}

/** The receipt of version 2 in an answer. */
export const receiptIn = (answer: Answer): Readonly<Record<string, unknown>> | undefined =>
  decodeHeader(answer.headers['payment-response'])

/** Fails unless the answer refuses: 402, with offers, and without the work. */
export function expectUnpaid(answer: Answer, because: string): void {
  expectThat(answer.status === 402, `${because} is not answered with 402`, 402, `${answer.status} ${answer.text}`)
  expectThat(offersIn(answer).length > 0, `the 402 for ${because} has no offers`, 'PAYMENT-REQUIRED', answer.headers)
  expectThat(!answer.text.includes(secret), `the 402 for ${because} holds what is sold`)
}

/** Fails unless the answer delivers. */
export function expectDelivered(answer: Answer, what = 'a payment that is right'): void {
  expectThat(
    answer.status === 200 && answer.text.includes(secret),
    `${what} does not get the resource`,
    `200 and ${secret}`,
    `${answer.status} ${answer.text}`,
  )
}

/** Fails if the answer delivers, or there is one that looks like it. */
export function expectWithheld(answer: Answer | Silence, because: string): void {
  if ('silent' in answer) return
  const delivered = answer.status < 400 || answer.text.includes(secret)
  expectThat(
    !delivered,
    `the resource is delivered although ${because}`,
    'a refusal',
    `${answer.status} ${answer.text}`,
  )
  expectThat(
    receiptIn(answer)?.success !== true,
    `a receipt says success although ${because}`,
    'none',
    receiptIn(answer),
  )
}

/** What every paid route answers with. */
export const secret = 'groat-conformance-secret'

function termsOf(offer: Requirements, { v1Network }: Rail): Terms {
  const { network, asset, payTo, amount, maxTimeoutSeconds, extra } = offer
  return {
    network: String(network),
    v1Network,
    asset: String(asset),
    payTo: String(payTo),
    amount: String(amount ?? offer.maxAmountRequired),
    maxTimeoutSeconds: Number(maxTimeoutSeconds),
    extra: isObject(extra) ? { ...extra } : { feePayer },
  }
}
