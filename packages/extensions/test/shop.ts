import { decodeChallenge, encodePayment, type JsonObject, type PaymentPayload, type PaymentRequired } from '@groat/core'
import { createMemoryClaims, type PaidHandler, type PaywallOptions, paywall, type RouteInput } from '@groat/server'
import { type FacilitatorStub, startFacilitator } from '../../server/test/facilitator-stub.js'
import { paymentFor, payTo, testScheme } from '../../server/test/test-scheme.js'

/** A shop of one route in this process, with a facilitator on real HTTP behind it. */
export type TestShop = {
  readonly stub: FacilitatorStub
  /** How often the work was done. */
  readonly works: () => number
  later(ms: number): void
  now(): number
  ask(init?: RequestInit, path?: string): Promise<Response>
  challenge(path?: string): Promise<PaymentRequired>
  /** A payment for the first offer. */
  sign(options?: { extensions?: JsonObject; payload?: JsonObject; path?: string }): Promise<PaymentPayload>
  present(payment: PaymentPayload, init?: RequestInit, path?: string): Promise<Response>
  close(): Promise<void>
}

export const ORIGIN = 'https://shop.example'

export async function openShop(
  route: RouteInput,
  options: Partial<PaywallOptions> | ((clock: () => number) => Partial<PaywallOptions>),
  handler: PaidHandler = () => new Response('goods'),
): Promise<TestShop> {
  const stub = await startFacilitator()
  let shift = 0
  let works = 0
  const clock = (): number => Date.now() + shift
  const paid = paywall({
    facilitator: stub.url,
    payTo: { 'base-sepolia': payTo },
    schemes: [testScheme],
    store: createMemoryClaims({ singleProcess: true, clock }),
    origin: ORIGIN,
    clock,
    ...(typeof options === 'function' ? options(clock) : options),
  })
  const shop = paid(route, (request, payment) => {
    works += 1
    return handler(request, payment)
  })
  const ask: TestShop['ask'] = async (init, path = '/a') => shop(new Request(ORIGIN + path, init))
  const challenge: TestShop['challenge'] = async (path) => challengeOf(await ask({}, path))
  return {
    stub,
    works: () => works,
    later: (ms) => {
      shift += ms
    },
    now: clock,
    ask,
    challenge,
    sign: async ({ extensions, payload, path } = {}) => {
      const [offer] = (await challenge(path)).accepts
      if (offer === undefined) throw new Error('no offer')
      const payment = paymentFor(offer, { now: clock(), ...(payload && { payload }) })
      return extensions === undefined ? payment : { ...payment, extensions }
    },
    present: (payment, init = {}, path) => {
      const { name, value } = encodePayment(payment)
      return ask({ ...init, headers: { ...(init.headers as Record<string, string>), [name]: value } }, path)
    },
    close: stub.close,
  }
}

export async function challengeOf(response: Response): Promise<PaymentRequired> {
  const challenge = decodeChallenge((name) => response.headers.get(name), await response.clone().text())
  if (!challenge?.ok) throw new Error(`no challenge: ${response.status}`)
  return challenge.value
}

export async function codeOf(response: Response): Promise<unknown> {
  const body: JsonObject = await response.clone().json()
  return body.code
}
