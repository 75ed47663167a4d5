import { once } from 'node:events'
import { connect } from 'node:net'
import {
  decodeChallenge,
  decodeReceipt,
  type JsonObject,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  type Settlement,
  type X402Event,
  type X402Version,
} from '@groat/core'
import { createFacilitatorClient, createMemoryClaims, type PaywallOptions } from '@groat/server'
import { expect } from 'vitest'
import { type FacilitatorStub, startFacilitator } from './facilitator-stub.js'
import type { Framework, Served, Shop } from './frameworks.js'
import { headersOf, paymentFor, payTo, testScheme } from './test-scheme.js'

/** An answer, read to its end. */
export type Answered = { readonly status: number; readonly headers: Headers; readonly text: string }

/** A shop that is open, its facilitator, and a customer. */
export type Market = {
  readonly stub: FacilitatorStub
  readonly served: Served
  readonly events: X402Event[]
  /** Moves the shop's clock, in milliseconds. */
  later(ms: number): void
  ask(path: string, init?: RequestInit): Promise<Answered>
  /** The first offer of a path. */
  offer(path: string): Promise<PaymentRequirements>
  /** A payment for a path. */
  sign(path: string, options?: { version?: X402Version; payload?: JsonObject }): Promise<PaymentPayload>
  present(path: string, payment: PaymentPayload, init?: RequestInit): Promise<Answered>
  pay(path: string, options?: { version?: X402Version; payload?: JsonObject; method?: string }): Promise<Answered>
  /** Sends bytes as they are and gives what came back until the server closed. */
  raw(text: string): Promise<string>
  close(): Promise<void>
}

export async function openMarket(
  framework: Framework,
  routes: Shop['routes'],
  options: Partial<PaywallOptions> & { readonly timeoutMs?: number } = {},
): Promise<Market> {
  const stub = await startFacilitator()
  const events: X402Event[] = []
  let shift = 0
  const clock = (): number => Date.now() + shift
  const { timeoutMs = 5_000, ...more } = options
  const served = await framework.open({
    routes,
    options: {
      facilitator: createFacilitatorClient(stub.url, { timeoutMs }),
      payTo: { 'base-sepolia': payTo },
      schemes: [testScheme],
      store: createMemoryClaims({ singleProcess: true, clock }),
      onEvent: (event) => events.push(event),
      clock,
      ...more,
    },
  })

  const ask = async (path: string, init: RequestInit = {}): Promise<Answered> => {
    const response = await fetch(served.url + path, { redirect: 'manual', ...init })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const offer = async (path: string): Promise<PaymentRequirements> => offersOf(await ask(path))[0]
  const sign: Market['sign'] = async (path, { version, payload } = {}) =>
    paymentFor(await offer(path), { now: clock(), ...(version && { version }), ...(payload && { payload }) })
  const present: Market['present'] = (path, payment, init = {}) =>
    ask(path, { ...init, headers: { ...headersOf(payment), ...(init.headers as Record<string, string>) } })

  return {
    stub,
    served,
    events,
    later: (ms) => {
      shift += ms
    },
    ask,
    offer,
    sign,
    present,
    pay: async (path, { method = 'GET', ...rest } = {}) => present(path, await sign(path, rest), { method }),
    raw: async (text) => {
      const socket = connect(served.port, '127.0.0.1')
      let received = ''
      socket.setEncoding('latin1').on('data', (chunk) => {
        received += chunk
      })
      socket.write(text)
      await once(socket, 'close')
      return received
    },
    close: async () => {
      await served.close()
      await stub.close()
    },
  }
}

/** The offers of a 402. */
export function offersOf({ headers, text }: Answered): readonly [PaymentRequirements, ...PaymentRequirements[]] {
  const challenge = decodeChallenge((name) => headers.get(name), text)
  const [first, ...more] = challenge?.ok ? challenge.value.accepts : []
  if (first === undefined) throw new Error(`no challenge: ${text}`)
  return [first, ...more]
}

/** The challenge's `error`, from the header. */
export function errorOf({ headers }: Answered): string | undefined {
  const challenge = decodeChallenge((name) => headers.get(name))
  return challenge?.ok ? challenge.value.error : undefined
}

/** The receipt, from whichever header. */
export function receiptOf({ headers }: Answered): Settlement | undefined {
  const receipt = decodeReceipt((name) => headers.get(name))
  return receipt?.ok ? receipt.value : undefined
}

/** The problem in the body. */
export function problemOf({ text }: Answered): JsonObject {
  return JSON.parse(text)
}

/** A 402 with this code, its offers in both versions, and no receipt unless one is asked for. */
export function expectRefused(answer: Answered, code: string): void {
  expect({ status: answer.status, error: errorOf(answer), code: problemOf(answer).code }).toEqual({
    status: 402,
    error: code,
    code,
  })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(offersOf(answer)).toHaveLength(1)
  expect(problemOf(answer).accepts).toHaveLength(1)
}

export const baseSepolia = network('base-sepolia')
