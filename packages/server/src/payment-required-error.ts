import { parseMoney } from '@groat/core'
import type { Price } from './offers.js'

/** What has to be paid before the work goes on. */
export type PaymentAsk = {
  readonly price: Price
  /** What it is for, for the buyer. */
  readonly description?: string
  /** Seconds for which the price holds. Default 300. */
  readonly holdsSeconds?: number
}

/**
 * Thrown by a handler behind a strict paywall: the buyer is asked for this price, with a signed quote that holds for the same request, and nothing is
 * charged. When it has paid, the handler runs again and finds the amount in its payment. Throw it before anything is done that
 * must not be done twice. Throws `X402Error` `invalid_price` for a price that is none.
 *
 * @example
 * app.get('/video', paid({ asks: true }), (c) => {
 *   if (c.get('payment').amount === 0n) throw new PaymentRequiredError({ price: '$0.25' })
 *   return c.text('the video')
 * })
 */
export class PaymentRequiredError extends Error {
  override readonly name = 'PaymentRequiredError'
  readonly ask: PaymentAsk

  constructor(ask: PaymentAsk) {
    parseMoney(ask.price)
    super(`payment of ${ask.price} is required`)
    this.ask = ask
  }

  /** What frameworks answer that take a response from an error, where no paywall stands before them. */
  getResponse(): Response {
    return new Response(null, { status: 402 })
  }

  /** By name: two copies of the package may be loaded. */
  static is(error: unknown): error is PaymentRequiredError {
    return error instanceof Error && error.name === 'PaymentRequiredError' && 'ask' in error
  }
}
