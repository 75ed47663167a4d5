import { randomBytes } from 'node:crypto'
import type { Payer, Rail } from '../chain/rail.js'
import { isObject } from '../http/exchange.js'
import { bodyOf, headersOf, type Listening, listen, type Reply, reply } from '../http/listen.js'
import { expectThat, fail, notApplicable, show } from '../model/finding.js'
import type { Found } from '../model/property.js'
import type { Exchange } from '../model/result.js'
import { feePayer } from '../server/scripted-facilitator.js'
import type { ClientSession } from '../target/client.js'
import type { CallAnswer, ClientAnswer, ClientRequest, MessageAnswer, RefundAnswer } from '../target/manifest.js'
import { formatBase58 } from '../wire/base58.js'
import { decodeHeader, encodeHeader, encodeOffers, encodeRequirements, type Requirements } from '../wire/messages.js'

/** A request that reached the server of the kit. */
export type Seen = {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The value of the payment header, and what it says. */
  readonly header?: string
  readonly payment?: Readonly<Record<string, unknown>>
}

/** A server that does what a check says, and remembers what came. */
export type ScriptedServer = Listening & {
  readonly seen: () => readonly Seen[]
  readonly payments: () => readonly Seen[]
}

/** Where a client is tested: servers that obey the kit, and a wallet with money. */
export interface ClientStage {
  readonly rail: Rail
  readonly runs: number
  readonly seed: number
  readonly path?: string
  readonly regressions?: readonly Found[]
  readonly wallet: Payer
  /** Atomic units that one payment may take. */
  readonly limit: bigint
  /** A right offer, with something else about it. */
  offer(change?: Readonly<Record<string, unknown>>): Requirements
  /** A 402 with offers in its header. */
  challenge(url: string, offers: readonly unknown[], more?: object): Exclude<Reply, string>
  /** What a server says that was paid. */
  delivered(seen: Seen): Exclude<Reply, string>
  /** The receipt in it. */
  receipt(version?: 1 | 2): Readonly<Record<string, unknown>>
  /** Whether the client says that it knows an extension; a check of one that it does not know does not apply. */
  needExtension(key: string): void
  /** Starts a server for this check. `nth` counts requests from 1, `paid` those with a payment. */
  serve(
    act: (seen: Seen, count: { readonly nth: number; readonly paid: number; readonly url: string }) => Reply,
  ): Promise<ScriptedServer>
  /** A server that sells for these offers, and delivers to whoever pays. */
  sell(offers?: readonly unknown[], more?: object): Promise<ScriptedServer>
  fetch(url: string, request?: Partial<Omit<ClientRequest['request'], 'url'>>): Promise<ClientAnswer>
  /** Calls a tool of an MCP server. A client that has no such thing is not asked. */
  call(server: string, tool: string, given: Readonly<Record<string, unknown>>): Promise<CallAnswer>
  /** Sends a message to an A2A agent. */
  message(agent: string, text: string): Promise<MessageAnswer>
  /** Buys, and asks for the money back. */
  refund(url: string): Promise<RefundAnswer>
  close(): Promise<void>
}

/** What a stage is made of. */
export type ClientSetup = {
  readonly session: ClientSession
  readonly version: 1 | 2
  readonly rail: Rail
  readonly wallet: Payer
  readonly payTo: string
  readonly runs: number
  readonly seed: number
  readonly path?: string
  readonly regressions?: readonly Found[]
  note(exchange: Omit<Exchange, 'at'>): void
}

/** A stage for one check. */
export function createClientStage(setup: ClientSetup): ClientStage {
  const { session, version, rail, wallet, payTo, runs, seed, path, regressions = [], note } = setup
  const servers: Listening[] = []
  const limit = 100_000n

  const offer: ClientStage['offer'] = (change = {}) => {
    const { amount, ...rest } = change
    const price = amount === undefined ? {} : { [version === 2 ? 'amount' : 'maxAmountRequired']: amount }
    return { ...encodeRequirements(rail.terms(payTo, 10_000n, { feePayer }), version), ...price, ...rest }
  }

  const challenge: ClientStage['challenge'] = (url, offers, more = {}) =>
    version === 1
      ? { status: 402, json: { x402Version: 1, error: 'payment_required', accepts: offers, ...more } }
      : inHeader(url, offers, more)

  const inHeader: ClientStage['challenge'] = (url, offers, more = {}) => ({
    status: 402,
    // Checks put in what is no offer on purpose.
    headers: {
      'PAYMENT-REQUIRED': encodeOffers(offers as readonly Requirements[], url, more),
      'cache-control': 'no-store',
    },
    json: {},
  })

  const serve: ClientStage['serve'] = async (act) => {
    let seen: readonly Seen[] = []
    const server = await listen(async (request, response) => {
      const headers = headersOf(request)
      const header = headers['payment-signature'] ?? headers['x-payment']
      const payment = decodeHeader(header)
      const one: Seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers,
        body: await bodyOf(request),
        ...(header === undefined ? {} : { header }),
        ...(payment === undefined ? {} : { payment }),
      }
      seen = [...seen, one]
      const url = `${server.url}${one.path}`
      const paid = seen.filter((each) => each.header !== undefined).length
      const said = act(one, { nth: seen.length, paid, url })
      const told = {
        who: 'target → server of the kit',
        method: one.method,
        url,
        requestHeaders: headers,
        requestBody: one.body,
      }
      if (typeof said === 'string') note({ ...told, failure: `the server of the kit does this on purpose: ${said}` })
      else {
        const { status = 200, headers: answered = {}, text, json } = said
        const responseHeaders = Object.fromEntries(
          Object.entries(answered).map(([name, value]) => [name, String(value)]),
        )
        note({ ...told, status, responseHeaders, responseBody: text ?? JSON.stringify(json ?? '') })
      }
      await reply(response, said)
    })
    servers.push(server)
    return { ...server, seen: () => seen, payments: () => seen.filter(({ header }) => header !== undefined) }
  }

  const receipt: ClientStage['receipt'] = (of = 2) => {
    const transaction = rail.family === 'evm' ? `0x${randomBytes(32).toString('hex')}` : formatBase58(randomBytes(64))
    const network = of === 1 ? rail.v1Network : rail.network
    return { success: true, transaction, network, payer: wallet.address }
  }

  const delivered: ClientStage['delivered'] = ({ payment }) => {
    const isFirst = payment?.x402Version === 1
    const name = isFirst ? 'X-PAYMENT-RESPONSE' : 'PAYMENT-RESPONSE'
    const headers = { [name]: encodeHeader(receipt(isFirst ? 1 : 2)), 'cache-control': 'private' }
    return { headers, json: { served: true } }
  }

  const family = rail.family === 'evm' ? 'eip155' : 'solana'
  const purse = {
    wallet: { [family]: wallet.key },
    policy: { maxAtomic: String(limit) },
    rpc: { [family]: rail.rpcUrl },
  }

  /** Asks the client, and writes down what it says. */
  async function told<A extends object>(method: string, url: string, asked: Promise<A>): Promise<A> {
    const answer = await asked
    note({ who: 'kit → client', method, url, responseBody: show(answer) })
    if ('skipped' in answer && isObject(answer.skipped))
      notApplicable(`the client cannot do this: ${answer.skipped.issue}`)
    return answer
  }

  return {
    rail,
    runs,
    seed,
    regressions,
    ...(path === undefined ? {} : { path }),
    wallet,
    limit,
    offer,
    challenge,
    delivered,
    receipt,
    needExtension(key) {
      if (!session.extensions.includes(key)) notApplicable(`the client does not say that it knows ${key}`)
    },
    serve,
    sell: (offers = [offer()], more = {}) =>
      serve((seen, { url }) => (seen.header === undefined ? challenge(url, offers, more) : delivered(seen))),
    fetch: (url, { method = 'GET', ...request } = {}) =>
      told('fetch', url, session.fetch({ request: { method, url, ...request }, ...purse })),
    async call(url, tool, given) {
      const { call } = session
      if (call === undefined) notApplicable('the client does not say that it calls tools over MCP')
      return told('call', url, call({ server: url, tool, arguments: given, ...purse }))
    },
    async message(url, text) {
      const { message } = session
      if (message === undefined) notApplicable('the client does not say that it pays agents over A2A')
      return told('message', url, message({ agent: url, text, ...purse }))
    },
    async refund(url) {
      const { refund } = session
      if (refund === undefined) notApplicable('the client does not say that it asks for money back')
      return told('refund', url, refund({ request: { method: 'GET', url }, ...purse }))
    },
    async close() {
      for (const server of servers) await server.close()
    },
  }
}

/** The one payment that a server got. None, or payments that differ, fail the check. */
export function thePayment(
  server: ScriptedServer,
  answer: ClientAnswer,
): Readonly<Record<string, unknown>> & { readonly header: string } {
  const payments = server.payments()
  const [first] = payments
  if (first?.header === undefined) fail('the client did not pay', 'a payment', answer)
  if (first.payment === undefined) fail('the payment cannot be decoded', 'base64 of JSON', first.header)
  expectSamePayment(payments)
  return { ...first.payment, header: first.header }
}

/** Fails if two payments were signed. */
export function expectSamePayment(payments: readonly Seen[]): void {
  const signed = new Set(payments.map(({ payment }) => JSON.stringify(payment?.payload)))
  expectThat(signed.size <= 1, 'the client signed more than one payment for one call', 'one', signed.size)
}

/** Fails if the client paid. */
export function expectNoPayment(server: ScriptedServer, because: string): void {
  const first = server.payments().find(({ payment }) => isObject(payment?.payload))
  if (first !== undefined) fail(`the client pays although ${because}`, 'no payment', first.payment)
}

/** Fails unless the client has the answer that it paid for. */
export function expectGot(answer: ClientAnswer, status = 200): void {
  const got = 'ok' in answer && answer.ok.status === status
  expectThat(got, 'the client did not hand over the answer', status, answer)
}
