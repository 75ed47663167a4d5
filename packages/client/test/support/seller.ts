import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  decodePayment,
  encodeChallenge,
  encodeReceipt,
  type JsonObject,
  network,
  type PaymentPayload,
  type PaymentRequired,
  type PaymentRequirements,
  type Settlement,
  type X402Version,
} from '@groat/core'
import { onTestFinished } from 'vitest'
import { PAYER } from './spy-scheme.js'

export const BASE_SEPOLIA = network('base-sepolia')
export const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
export const SELLER = '0x1111111111111111111111111111111111111111'

/** What a server saw. */
export type Seen = {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  readonly payment: PaymentPayload | undefined
}

export type Reply = {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

/** Answers, destroys the socket, or takes over the response. */
export type Script = (
  seen: Seen,
  nth: number,
) => Reply | 'destroy' | ((response: ServerResponse) => void) | Promise<Reply>

export type Seller = {
  readonly url: string
  readonly origin: string
  readonly seen: Seen[]
  /** The nonces that were presented, each as often as it came. */
  readonly presented: () => string[]
}

/** A real HTTP server that does what its script says, for as long as the test runs. */
export async function startSeller(script: Script): Promise<Seller> {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const entry = await see(request)
    seen.push(entry)
    const reply = await script(entry, seen.length)
    if (reply === 'destroy') return void request.socket.destroy()
    if (typeof reply === 'function') return reply(response)
    response.writeHead(reply.status ?? 200, reply.headers).end(reply.body ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  // A listening TCP server has an address and a port.
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const presented = () => seen.flatMap(({ payment }) => (payment === undefined ? [] : [nonceOf(payment)]))
  return { url: `${origin}/weather`, origin, seen, presented }
}

/** An honest seller: asks, checks nothing, settles each payment once and gives the same answer for the same payment. */
export function honest(offers: readonly PaymentRequirements[] = [offer()], body = 'sunny'): Script {
  return ({ payment }) => (payment === undefined ? challenge({ accepts: offers }) : paid(payment, { body }))
}

export function offer(changes: Partial<PaymentRequirements> = {}): PaymentRequirements {
  return {
    scheme: 'exact',
    network: BASE_SEPOLIA,
    amount: 1000n,
    asset: USDC,
    payTo: SELLER,
    maxTimeoutSeconds: 300,
    extra: { name: 'USDC', version: '2' },
    ...changes,
  }
}

/** A 402 in v2, without the v1 body. */
export function challenge(required: Omit<PaymentRequired, 'x402Version'>): Reply {
  return { status: 402, headers: encodeChallenge(required).headers, body: '{}' }
}

/** A 402 whose header is this object, whatever it is. */
export function rawChallenge(object: unknown): Reply {
  const header = Buffer.from(JSON.stringify(object)).toString('base64')
  return { status: 402, headers: { 'PAYMENT-REQUIRED': header }, body: 'pay' }
}

/** A 402 in v1 only. */
export function v1Challenge(accepts: readonly PaymentRequirements[], url = '/weather'): Reply {
  const { body } = encodeChallenge({ accepts, resource: { url } })
  return { status: 402, headers: { 'content-type': 'application/json' }, body }
}

/** A 200 with a receipt for a payment. */
export function paid(payment: PaymentPayload, reply: Reply = {}, changes: Partial<Receipt> = {}): Reply {
  const receipt = {
    payer: PAYER,
    network: payment.network,
    transaction: `0x${nonceOf(payment).slice(2, 66)}`,
    amount: payment.accepted?.amount ?? 1000n,
    ...changes,
  }
  return withReceipt(payment.x402Version, { status: 'settled', receipt }, reply)
}

/** An answer with any settlement in its receipt header. */
export function withReceipt(version: X402Version, settlement: Settlement, reply: Reply = {}): Reply {
  const of = settlement.status === 'settled' ? settlement.receipt.network : BASE_SEPOLIA
  const { name, value } = encodeReceipt(version, of, settlement)
  return { ...reply, headers: { ...reply.headers, [name]: value } }
}

export const pending = (retryAfter = '0', status = 503): Reply =>
  withReceipt(2, { status: 'unknown', retryAfter: 2 }, { status, headers: { 'retry-after': retryAfter } })

/** What makes a payment another than its likes: its nonce, or its permission. */
export function nonceOf({ payload }: PaymentPayload): string {
  if (payload.permissionContext !== undefined) return String(payload.permissionContext)
  const { nonce } = payload.authorization as JsonObject
  return String(nonce)
}

type Receipt = Extract<Settlement, { status: 'settled' }>['receipt']

async function see(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const header = (name: string) => {
    const value = request.headers[name.toLowerCase()]
    return typeof value === 'string' ? value : undefined
  }
  const payment = decodePayment(header)
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    host: request.headers.host ?? '',
    headers: request.headers,
    body: Buffer.concat(chunks),
    payment: payment?.ok ? payment.value : undefined,
  }
}
