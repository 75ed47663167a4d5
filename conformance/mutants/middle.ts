import { request as send } from 'node:http'
import { bodyOf, listen, type Reply, reply } from '../src/http/listen.js'

/** A request on its way to the honest target. `json` is its body, if it is JSON. */
export type Passing = {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Names of headers as they came. */
  readonly rawNames: readonly string[]
  readonly text: string
  readonly json: unknown
}

/** Whatever is found: a mutant spoils it. */
// biome-ignore lint/suspicious/noExplicitAny: what is spoilt has no form.
export type Json = any

/** What the honest target said. */
export type Said = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** Undefined when it is none. */
  readonly json: Json
}

/** Hands a request on, changed or not. */
export type Forward = (change?: Partial<Passing>) => Promise<Said>

/** A small fault: what a broken target does with a request. */
export type Fault = (passing: Passing, forward: Forward) => Promise<Reply>

/** A target that is honest but for one fault. */
export async function spoil(honestUrl: string, fault: Fault): Promise<{ url: string; close(): Promise<void> }> {
  return listen(async (request, response) => {
    const text = await bodyOf(request)
    const { connection: _, 'content-length': __, 'transfer-encoding': ___, ...headers } = request.headers
    const distinct = Object.fromEntries(
      Object.keys(headers).map((name) => {
        const values = request.headersDistinct[name] ?? []
        return [name, values.length > 1 ? values : (values[0] ?? '')]
      }),
    )
    const rawNames = request.rawHeaders.filter((_, at) => at % 2 === 0)
    const passing: Passing = {
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: distinct,
      rawNames,
      text,
      json: parse(text),
    }
    const forward: Forward = (change = {}) => {
      const body = change.json === undefined ? (change.text ?? text) : JSON.stringify(change.json)
      return pass(honestUrl, { ...passing, ...change, text: body })
    }
    await reply(response, await fault(passing, forward))
  })
}

/** What was said, as it was said. */
export const asSaid = ({ status, headers, text }: Said): Reply => ({ status, headers: without(headers), text })

/** What was said, with other JSON. */
export const saying = ({ status, headers }: Said, json: unknown, other: number = status): Reply => ({
  status: other,
  headers: without(headers),
  text: JSON.stringify(json),
})

/** A part of what was said, and the answer with another in its place. */
export type Part = { readonly value: Json; put(value: Json): Reply }

/** Says something else where there is such a part. */
export const sayingOther =
  (
    part: (said: Said, passing: Passing) => Part | undefined,
    change: (value: Json, passing: Passing) => unknown,
  ): Fault =>
  async (passing, forward) => {
    const said = await forward()
    const found = part(said, passing)
    return found === undefined ? asSaid(said) : found.put(change(found.value, passing))
  }

/** Hears something else than was asked, where `other` says what. */
export const hearing =
  (other: (passing: Passing) => Partial<Passing> | undefined): Fault =>
  async (passing, forward) =>
    asSaid(await forward(other(passing) ?? {}))

/** Counts work that the honest target does not do, under the name of a route. */
export function counting(route: string, when: (passing: Passing) => boolean): Fault {
  let more = 0
  return async (passing, forward) => {
    const said = await forward()
    if (passing.path.endsWith('/hits')) {
      const { hits } = said.json
      return saying(said, { hits: { ...hits, [route]: (hits[route] ?? 0) + more } })
    }
    if (when(passing)) more += 1
    return asSaid(said)
  }
}

function pass(url: string, { method, path, headers, text }: Passing): Promise<Said> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const length = text === '' ? {} : { 'content-length': String(Buffer.byteLength(text)) }
    const outgoing = send(
      { hostname, port, method, path, headers: { ...headers, ...length } as Record<string, string>, agent: false },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const body = Buffer.concat(chunks).toString('utf8')
          const flat = Object.fromEntries(
            Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
          )
          resolve({ status: incoming.statusCode ?? 0, headers: flat, text: body, json: parse(body) })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(text)
  })
}

function without(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'content-length': _, 'transfer-encoding': __, connection: ___, 'keep-alive': ____, ...rest } = headers
  return rest
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
