import { notify, refuse } from '@groat/core'
import type { PaymentRequiredError } from './payment-required-error.js'
import type { Gate } from './paywall.js'
import type { Route } from './route.js'
import { type Challenge, type GateRequest, refusalAnswer } from './terms.js'

/** The 402 of a handler that asks for a price of its own, with a quote for this very request. */
export async function askedAnswer(
  gate: Gate,
  route: Route,
  request: GateRequest,
  { ask: { price, description, holdsSeconds = 300 } }: PaymentRequiredError,
): Promise<Challenge> {
  const now = gate.clock()
  const quote = await gate.quotes.make(route.name, request, price, Math.floor(now / 1000) + holdsSeconds)
  const terms = route.quoted(request, price, quote, description)
  notify(gate.onEvent, { type: 'challenge_sent', at: now, resource: terms.resource.url })
  return refusalAnswer(terms, refuse('payment_required'))
}
