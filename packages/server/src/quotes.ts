import { parseMoney, sha256Hex } from '@groat/core'
import type { Bearers } from './bearer.js'
import type { Price } from './offers.js'
import { type GateRequest, pathOf } from './terms.js'
import { digestOf, readFor } from './watched.js'

/** Prices that hold for a while, for one request: signed by the store's key, so that nothing of them is kept. */
export interface Quotes {
  /** `expires`: seconds since 1970. Throws `X402Error` `invalid_price`. */
  make(route: string, request: GateRequest, price: Price, expires: number): Promise<string>
  /** The price of a quote that was made for this request and still holds. */
  read(route: string, request: GateRequest, quote: string, now: number): Promise<Price | undefined>
}

/**
 * Makes and reads quotes (SRV-039). What they are bound to is the route, the method, the path with its query, the headers that the price was
 * made from, and the body, as far as a price function can read it: a body that it cannot have is like any other such body, and like none that it can.
 *
 * @example
 * const quote = await quotes.make('GET /video', request, '$0.25', 1_800_000_300)
 * await quotes.read('GET /video', request, quote, Date.now()) // '0.25 USD'
 */
export function createQuotes(marks: Bearers): Quotes {
  const bindingOf = async (route: string, request: GateRequest): Promise<string> => {
    const { method, url, body } = request
    const bytes = await body?.()
    const content = body !== undefined && bytes === undefined ? 'unread' : bytes?.length ? digestOf(request, bytes) : ''
    return sha256Hex([route, method, pathOf(url), content, await readFor(request)].join('\n')).slice(0, 32)
  }
  return {
    make: async (route, request, price, expires) => {
      const { decimal, ticker } = parseMoney(price)
      const binding = await bindingOf(route, request)
      return marks.make(['q', expires, decimal, ticker, binding].join('_').replaceAll('.', ','))
    },
    read: async (route, request, quote, now) => {
      const text = (await marks.read(quote))?.replaceAll(',', '.')
      const [, expires, price, ticker, binding] = /^q_(\d+)_([\d.]+)_([A-Z\d.]+)_([\da-f]+)$/.exec(text ?? '') ?? []
      if (binding === undefined || Number(expires) * 1000 <= now) return undefined
      if (binding !== (await bindingOf(route, request))) return undefined
      return `${price} ${ticker}`
    },
  }
}
