import type { Payer } from '../chain/rail.js'
import { type Answer, isObject } from '../http/exchange.js'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { decodeHeader, encodeHeader, encodePayment, type Payment, type Requirements } from '../wire/messages.js'
import { offersIn, type ServerStage } from './stage.js'

/** What a server is told to say of itself, whatever requests say. */
export const origin = 'https://conformance.example'

/** What a server is told to sign offers and receipts with, by EIP-712. It has never held anything. */
export const signingKey = '0x6d1c2a1f5bd1ae6f2d0b6a3bfb3fb6a9a4b16a3c7a4e3c0f0d9e8b7a69584736'

/** What a server is told to sign by JWS with, and the public half that it names. */
export const signingJwk = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'jlEiefshOKBf9fTYkrFNEPfcXrJalspRGPjGWGpN73g',
  x: 'ImmIirXsZXdCrdFUY8uTPAVE2aWhdUQQNHPocU4IWIE',
} as const

/** The challenge of a route that announces an extension. */
export type Extended = {
  readonly route: string
  readonly resource: Readonly<Record<string, unknown>>
  readonly offers: readonly Requirements[]
  readonly offer: Requirements
  /** What is announced, and `info` in it. */
  readonly announced: Readonly<Record<string, unknown>>
  readonly info: Readonly<Record<string, unknown>>
}

/** What a route announces. A target that neither announces the extension nor says that it has the route is not asked. */
export async function needExtension(
  stage: ServerStage,
  route: string,
  key: string,
  {
    method = 'GET',
    headers = {},
  }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Extended> {
  const answer = await stage.ask(route, headers, method)
  const announced = extensionIn(decodeHeader(answer.headers['payment-required']), key)
  const { resource } = decodeHeader(answer.headers['payment-required']) ?? {}
  if (answer.status === 402 && announced !== undefined) {
    const { info } = announced
    const offers = offersIn(answer)
    const offer = offers.find(({ scheme, network }) => scheme === 'exact' && network === stage.rail.network)
    if (!isObject(info) || !isObject(resource) || offer === undefined)
      fail(`${key} of /conformance/${route} cannot be used`, 'info, a resource and an offer', announced)
    return { route, resource, offers, offer, announced, info }
  }
  if (stage.claims(route))
    fail(`/conformance/${route} does not announce ${key}`, '402 and the extension', answer.status)
  notApplicable(`the target has no route ${route} that announces ${key}`)
}

/** What a message says under the key of an extension. */
export function extensionIn(message: unknown, key: string): Readonly<Record<string, unknown>> | undefined {
  const all = isObject(message) && isObject(message.extensions) ? message.extensions : {}
  const found = all[key]
  return isObject(found) ? found : undefined
}

/** A right payment for an offer, with what its extensions are to say, and a nonce that it is to bear. */
export async function paymentFor(
  stage: ServerStage,
  { offer, resource }: Pick<Extended, 'offer' | 'resource'>,
  payer: Payer,
  extensions: object = {},
  nonce?: string,
): Promise<Payment> {
  const payment = encodePayment(offer, await stage.payload(payer, offer, nonce), 2)
  return { ...payment, resource, extensions }
}

/** The same as the value of its header. */
export const payExtended = async (...of: Parameters<typeof paymentFor>): Promise<string> =>
  encodeHeader(await paymentFor(...of))

/** How many payments the facilitator was asked to settle; one may be asked for again. */
export function settledPayments({ facilitator }: ServerStage): number {
  const asked = facilitator
    .asked('/settle')
    .map(({ body }) => (isObject(body.paymentPayload) ? body.paymentPayload : {}))
  return new Set(asked.map(({ payload }) => JSON.stringify(payload))).size
}

/** Fails unless money moved so many times, and the work was done so many times since. */
export async function expectSales(
  stage: ServerStage,
  route: string,
  { before, work, payments }: { readonly before: number; readonly work: number; readonly payments: number },
): Promise<void> {
  expectSame('how many payments were settled', payments, settledPayments(stage))
  expectSame('how often the work was done', before + work, await stage.hits(route))
}

/** Fails when strange input is taken for a fault of the server's own. */
export function expectNoFault({ status, text }: Answer, what: string): void {
  expectThat(status < 500, `${what} is a fault of the server`, 'a refusal', `${status} ${text}`)
}
