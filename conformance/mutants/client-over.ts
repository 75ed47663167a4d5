import type { CallAnswer, ClientAnswer, ClientEndpoint, ClientRequest, MessageAnswer } from '../src/index.js'
import { clientOver } from '../targets/ours/client.js'

// biome-ignore lint/suspicious/noExplicitAny: a mutant spoils whatever it finds.
type Json = any

/** Ours with one fault, which lies between it and the network, or in what it tells the kit. */
export type MutantOver = {
  readonly name: string
  readonly kills: readonly string[]
  readonly fault: OverFault
}

/** What a fault does. */
export type OverFault = {
  /** Changes a payment that goes out in a header. `announced`: what the last challenge had for extensions. */
  readonly pays?: (payment: Json, announced: Json) => Json
  /** Changes a proof that goes out. */
  readonly proves?: (proof: Json) => Json
  /** Changes a challenge that comes in; whatever it throws the client throws. */
  readonly reads?: (challenge: Json, url: URL) => Json
  /** Changes a message of JSON-RPC that goes out. */
  readonly asks?: (message: Json) => Json
  /** Changes a message of JSON-RPC that comes in. */
  readonly hears?: (message: Json) => Json
  /** Takes headers away. */
  readonly drops?: string
  /** What it does with an answer, and how it would ask again. */
  readonly after?: (
    answer: Response | undefined,
    sent: { readonly headers: Headers; readonly body: string; again(change?: Partial<Sent>): Promise<Response> },
  ) => Promise<Response | undefined>
  readonly fetched?: (answer: ClientAnswer) => ClientAnswer
  readonly called?: (answer: CallAnswer) => CallAnswer
  readonly told?: (answer: MessageAnswer) => MessageAnswer
  /** What it does when it is to ask for money back, with the endpoint that the seller names. */
  readonly refunds?: (asked: ClientRequest, endpoint: string) => Promise<void>
}

type Sent = { readonly url: string | URL; readonly headers: Headers; readonly body: string }

/** A client of ours with this fault. */
export function overFault(fault: OverFault): ClientEndpoint {
  const { fetch, call, message, refund, extensions } = clientOver(spoilt(fault))
  const same = <T>(value: T): T => value
  return {
    extensions,
    fetch: async (asked) => (fault.fetched ?? same)(await fetch(asked)),
    call: async (asked) => (fault.called ?? same)(await call(asked)),
    message: async (asked) => (fault.told ?? same)(await message(asked)),
    refund: async (asked) => {
      const told = await refund(asked)
      if (fault.refunds === undefined) return told
      const answer = await globalThis.fetch(asked.request.url)
      const { extensions: announced } = decode(answer.headers.get('payment-required') ?? '')
      await fault.refunds(asked, announced['groat-refund'].info.endpoint)
      return told
    },
  }
}

const decode = (value: string): Json => JSON.parse(Buffer.from(value, 'base64').toString())
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')

function spoilt({ pays, proves, reads, asks, hears, drops, after }: OverFault): typeof globalThis.fetch {
  let announced: Json
  return async (input, init) => {
    const request = new Request(input, init)
    const { method, headers } = request
    let body = method === 'GET' ? '' : await request.text()
    const change = (name: string, by: ((value: Json, announced: Json) => Json) | undefined) => {
      const value = headers.get(name)
      if (value !== null && by !== undefined) headers.set(name, encode(by(decode(value), announced)))
    }
    change('payment-signature', pays)
    change('sign-in-with-x', proves)
    if (drops !== undefined) headers.delete(drops)
    if (asks !== undefined && body !== '') body = JSON.stringify(asks(JSON.parse(body)))
    const send = ({ url = request.url, headers: with_ = headers, body: said = body }: Partial<Sent> = {}) =>
      fetch(url, { method, headers: with_, redirect: 'manual', ...(said === '' ? {} : { body: said }) })
    let answer: Response | undefined
    let broken: unknown
    try {
      answer = await send()
    } catch (error) {
      broken = error
    }
    answer = (await after?.(answer, { headers, body, again: send })) ?? answer
    if (answer === undefined) throw broken
    const required = answer.headers.get('payment-required')
    if (required !== null) {
      const challenge = decode(required)
      announced = challenge.extensions
      if (reads !== undefined) return withHeader(answer, encode(reads(challenge, new URL(request.url))), request.url)
    }
    if (hears === undefined || body === '' || answer.status !== 200) return answer
    return Response.json(hears(await answer.json()))
  }
}

/** The answer with another challenge, still from where it came. */
function withHeader(answer: Response, value: string, url: string): Response {
  const headers = new Headers(answer.headers)
  headers.set('payment-required', value)
  const { status } = answer
  return Object.defineProperty(new Response('{}', { status, headers }), 'url', { value: url })
}
