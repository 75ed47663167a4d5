import type { Clock, Fetch } from '@groat/core'
import { drain } from '../challenge.js'
import type { Purse } from '../purse.js'
import type { PayInit } from '../request.js'

/** The header that carries what was bought before: a bundle of uses, or a pass for a time. */
const HEADER = 'PAYMENT-ENTITLEMENT'

/** Bundles and passes that a buyer owns, kept in its purse. */
export interface Owned {
  /** The answer to a request by what is owned; `undefined` where nothing is, or it is used up: then it has to be paid. */
  use(input: string | URL | Request, init: PayInit | undefined): Promise<Response | undefined>
  /** Keeps what came with an answer. */
  take(input: string | URL | Request, init: PayInit | undefined, response: Response): Promise<void>
}

/** What is owned of a route, and where. A purse that fails here costs a payment that was not needed, never an answer. */
export function createOwned(
  purse: Purse,
  { fetch, clock, answerMs }: { readonly fetch: Fetch; readonly clock: Clock; readonly answerMs: number },
): Owned {
  const keep = (key: string, value: string | undefined) => purse.remember(key, value).catch(() => {})

  async function take(input: string | URL | Request, init: PayInit | undefined, { headers, status }: Response) {
    const said = headers.get(HEADER)
    if (said === null || status >= 400) return
    const key = keyOf(input, init)
    if (key === undefined) return
    await keep(key, said.length <= MAX_LENGTH && isLeft(said, clock()) ? said : undefined)
  }

  return {
    take,
    async use(input, init) {
      const key = keyOf(input, init)
      if (key === undefined || !isRepeatable(input, init)) return undefined
      const { facts } = await purse.recall([key], []).catch(() => ({ facts: new Map<string, string>() }))
      const owned = facts.get(key)
      if (owned === undefined) return undefined
      if (!isLeft(owned, clock())) {
        await keep(key, undefined)
        return undefined
      }
      const { idempotencyKey: _, metadata: __, onEvent: ___, fetch: carry = fetch, ...rest } = init ?? {}
      const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
      headers.set(HEADER, owned.split(';', 1)[0] ?? '')
      // What opens a route is shown to its own origin only.
      const response = await carry(input instanceof Request ? input.clone() : input, {
        ...rest,
        headers,
        redirect: 'manual',
      })
      const isRedirect = response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)
      if (response.status !== 402 && !isRedirect) {
        await take(input, init, response)
        return response
      }
      drain(response, answerMs)
      if (response.status === 402) await keep(key, undefined)
      return undefined
    },
  }
}

const MAX_LENGTH = 1_024

/** By method, origin and path: what is sold for a route is good for all that it is asked. */
function keyOf(input: string | URL | Request, init: PayInit | undefined): string | undefined {
  const text = input instanceof Request ? input.url : String(input)
  const base = globalThis.location?.href
  if (!URL.canParse(text, base)) return undefined
  const { origin, pathname } = new URL(text, base)
  const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
  return JSON.stringify(['entitlement', method.toUpperCase(), origin + pathname])
}

/** Whether the request can be sent once more, when what is owned turns out to be used up. */
function isRepeatable(input: string | URL | Request, init: PayInit | undefined): boolean {
  if (input instanceof Request && input.body !== null) return false
  const body = init?.body
  return body == null || typeof body === 'string' || body instanceof ArrayBuffer || ArrayBuffer.isView(body)
}

/** `TOKEN; left=9; expires=…`: what it says of itself. */
function isLeft(said: string, now: number): boolean {
  const [, left] = /;\s*left=(\d+)/.exec(said) ?? []
  const [, expires] = /;\s*expires=([^;\s]+)/.exec(said) ?? []
  return left !== '0' && (expires === undefined || !(Date.parse(expires) <= now))
}
