import { type ExtensionClient, isJsonObject, type Random, sha256Hex } from '@groat/core'
import { paymentIdentifier } from './payment-identifier.js'

/**
 * The payer's half of `payment-identifier`: names every payment whose seller asks for a name. A request with an idempotency key has the same name
 * in every process and at every try; any other payment is named at random, and a retry of this payer presents the same payment anyway (EXT-ID-020).
 *
 * @example
 * const payer = createPayer({ schemes, extensions: [identifiedPayments()] })
 */
export function identifiedPayments(): ExtensionClient {
  return {
    extension: paymentIdentifier,
    attach: ({ info, schema }, { request, random }) => {
      if (!isJsonObject(info)) return undefined
      const id = request === undefined ? newIdentifier(random) : identifierOf(request)
      return { info: { ...info, id }, ...(schema === undefined ? {} : { schema }) }
    },
  }
}

/** A new name. */
export function newIdentifier(random: Random): string {
  return `pay_${Array.from(random(16), (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

/** The name of a request, which tells nobody what the request is called by its caller. */
function identifierOf(request: string): string {
  return `pay_${sha256Hex(`payment-identifier\n${request}`).slice(0, 32)}`
}
