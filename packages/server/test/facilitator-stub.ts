import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isJsonObject, type JsonObject } from '@groat/core'
import { listen } from './listen.js'
import { nonceOf, payer } from './test-scheme.js'

/** One call as it arrived. */
export type StubCall = {
  readonly path: string
  readonly body: JsonObject
  readonly headers: IncomingMessage['headers']
}

/** How one call is answered. */
export type Behaviour = (call: StubCall, response: ServerResponse, stub: FacilitatorStub) => void

/** A facilitator that speaks real HTTP and does what it is told. */
export type FacilitatorStub = {
  readonly url: string
  /** Calls so far, by path. */
  readonly calls: Record<'verify' | 'settle' | 'supported' | 'settlements', StubCall[]>
  /** What it does to calls; the first of a list once, then the next. The last one stays. */
  readonly does: { verify: Behaviour[]; settle: Behaviour[]; supported: Behaviour[]; settlements: Behaviour[] }
  /** Payments that moved money: nonce to transaction. */
  readonly ledger: Map<string, string>
  close(): Promise<void>
}

export async function startFacilitator(): Promise<FacilitatorStub> {
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const path = new URL(request.url ?? '/', 'http://stub').pathname.split('/')[1] ?? ''
      const body: unknown = text === '' ? {} : JSON.parse(text)
      const call = { path, body: isJsonObject(body) ? body : {}, headers: request.headers }
      if (path !== 'verify' && path !== 'settle' && path !== 'supported' && path !== 'settlements') {
        json(404, { error: 'not found' })(call, response, stub)
        return
      }
      stub.calls[path].push(call)
      const behaviours = stub.does[path]
      const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0]
      behaviour?.(call, response, stub)
    })
  })
  const { url, close } = await listen(server)
  const stub: FacilitatorStub = {
    url,
    close,
    calls: { verify: [], settle: [], supported: [], settlements: [] },
    does: {
      verify: [verified],
      settle: [settled],
      supported: [supported],
      settlements: [json(404, { error: 'no such page' })],
    },
    ledger: new Map(),
  }
  return stub
}

export const json =
  (status: number, body: JsonObject, headers: Record<string, string> = {}): Behaviour =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

export const verified: Behaviour = (call, response, stub) => {
  json(200, { isValid: true, payer: payerOf(call) })(call, response, stub)
}

export const refusedVerify = (reason = 'invalid_exact_evm_insufficient_balance'): Behaviour =>
  json(200, { isValid: false, invalidReason: reason, invalidMessage: 'https://rpc.example/secret-key said no', payer })

/** Moves the money once; presented again, it answers the same. */
export const settled: Behaviour = (call, response, stub) => {
  const nonce = nonceOf(payloadOf(call))
  const transaction = stub.ledger.get(nonce) ?? `0x${String(stub.ledger.size + 1).padStart(64, '0')}`
  stub.ledger.set(nonce, transaction)
  receipt(transaction)(call, response, stub)
}

/** Moves the money once; presented again, it says that the nonce was used, as a facilitator without a journal does. */
export const settledOnce: Behaviour = (call, response, stub) => {
  const seen = stub.ledger.has(nonceOf(payloadOf(call)))
  const behaviour = seen ? refusedSettle('invalid_exact_evm_nonce_already_used') : settled
  behaviour(call, response, stub)
}

/** A receipt, with whatever the test wants it to say. */
export const receipt =
  (transaction: string, lies: JsonObject = {}): Behaviour =>
  (call, response, stub) => {
    const requirements = call.body.paymentRequirements
    const network = isJsonObject(requirements) ? (requirements.network ?? '') : ''
    json(200, { success: true, payer: payerOf(call), transaction, network, ...lies })(call, response, stub)
  }

export const refusedSettle = (reason = 'invalid_exact_evm_insufficient_balance'): Behaviour =>
  json(200, {
    success: false,
    errorReason: reason,
    errorMessage: 'https://rpc.example/secret-key said no',
    transaction: '',
    network: 'eip155:84532',
    payer,
  })

export const supported: Behaviour = json(200, {
  kinds: [
    { x402Version: 2, scheme: 'exact', network: 'eip155:84532' },
    { x402Version: 2, scheme: 'exact', network: 'eip155:8453' },
    { x402Version: 1, scheme: 'exact', network: 'base-sepolia' },
  ],
  extensions: [],
  signers: {},
})

/** Does what the other does, but the answer gets lost. */
export const thenDrop =
  (behaviour: Behaviour): Behaviour =>
  (call, response, stub) => {
    behaviour(call, silent(response), stub)
    response.destroy()
  }

/** Does what the other does, but answers with something else. */
export const thenAnswer =
  (behaviour: Behaviour, answer: Behaviour): Behaviour =>
  (call, response, stub) => {
    behaviour(call, silent(response), stub)
    answer(call, response, stub)
  }

export const garbage: Behaviour = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('<html>hello</html>')
}

export const never: Behaviour = () => {}

/** Sends without end, as fast as it is read. */
export const endless: Behaviour = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const chunk = Buffer.alloc(16_384, ' ')
  const push = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', push)
  }
  push()
}

function payloadOf({ body }: StubCall): unknown {
  return isJsonObject(body.paymentPayload) ? body.paymentPayload.payload : undefined
}

function payerOf(call: StubCall): string {
  const payload = payloadOf(call)
  return isJsonObject(payload) && typeof payload.from === 'string' ? payload.from : ''
}

/** A response that nobody sees. */
function silent(response: ServerResponse): ServerResponse {
  const nothing = Object.create(response)
  return Object.assign(nothing, { writeHead: () => nothing, end: () => nothing })
}
