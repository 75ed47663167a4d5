import { check, comparableBody, type ExtensionClient, isJsonObject, type Random, sha256Hex } from '@groat/core'
import { bindingOf, boundHeaders, bytesOf, hexOf, requestBinding } from './request-binding.js'
import * as shapes from './schema.shapes.js'

/**
 * The payer's half of `groat-request-binding`: the nonce of a payment is made from its request, wherever the seller asks for that. One signature covers both, and nobody but the
 * seller learns what was asked for.
 *
 * @example
 * const payer = createPayer({ schemes, extensions: [boundPayments()] })
 */
export function boundPayments(): ExtensionClient {
  return {
    extension: requestBinding,
    // A payment that is not bound says nothing of it: the seller decides whether it takes that.
    attach: () => undefined,
    bind: ({ info }, { method, url, body = new Uint8Array(), headers, random }) => {
      const terms = isJsonObject(info) ? check(shapes.BindingTerms, info) : undefined
      if (!isJsonObject(info) || !terms?.ok) return undefined
      const named = boundHeaders(terms.value.headers, (name) => headers?.get(name))
      const salt = hexOf(random(16))
      const content = comparableBody(body, headers?.get('content-type'))
      const binding = bindingOf({ method, url: withoutFragment(url), body: content, ...named, salt })
      return { random: drawsFrom(binding), value: { info: { ...info, salt } } }
    },
  }
}

/** A URL as it is sent. */
function withoutFragment({ href }: URL): string {
  const [url = href] = href.split('#', 1)
  return url
}

/** The binding itself first, then bytes that follow from it: schemes draw their nonce first. */
function drawsFrom(binding: Uint8Array): Random {
  let block = 0
  let left: Uint8Array<ArrayBufferLike> = new Uint8Array()
  return (size) => {
    const drawn = new Uint8Array(size)
    for (let at = 0; at < size; ) {
      if (left.length === 0) {
        left = block === 0 ? binding : bytesOf(sha256Hex(`${hexOf(binding)} ${block}`))
        block += 1
      }
      const part = left.subarray(0, size - at)
      drawn.set(part, at)
      at += part.length
      left = left.subarray(part.length)
    }
    return drawn
  }
}
