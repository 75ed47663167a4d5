import {
  check,
  type ExtensionServer,
  extensionInfo,
  type GuardedPayment,
  isJsonObject,
  type Refusal,
  refuse,
  X402Error,
} from '@groat/core'
import { bindingOf, hexOf, requestBinding, WIRE_SCHEMA } from './request-binding.js'
import * as shapes from './schema.shapes.js'
import { drawnBy } from './slot.js'

export { type BoundRequest, bindingOf } from './request-binding.js'
export { drawnBy } from './slot.js'

/**
 * The seller's half of `groat-request-binding`: a payment whose nonce was not made from this very method, URL and body is refused before any work and any money
 * (`request_binding_mismatch`). A route declares it as `true`, which refuses payments that are not bound, or as `{ required: false }`. The paywall needs its `origin`.
 *
 * @example
 * const paid = paywall({ ...shop, origin: 'https://shop.example', extensions: [boundRequests()] })
 * app.post('/orders', paid({ price: '$1', extensions: { 'groat-request-binding': true } }), order)
 */
export function boundRequests(): ExtensionServer {
  return {
    extension: requestBinding,
    declare: (options, { origin }) => {
      const required = readRequired(options)
      if (origin === undefined) {
        const reason = 'the paywall needs its origin: what a request says of its host is its sender’s word'
        throw new X402Error('invalid_config', { field: FIELD, reason })
      }
      return {
        announce: { info: { version: 1, required }, schema: WIRE_SCHEMA },
        inspect: (payment) => {
          const info = extensionInfo(payment.extensions, requestBinding.key)
          const isBound = info !== undefined && Object.hasOwn(info, 'salt')
          if (!isBound) return required ? refuse('request_binding_required') : undefined
          if (!check(shapes.BindingInfo, info).ok) return refuse('extension_invalid', requestBinding.key)
          return drawnBy(payment) === undefined
            ? refuse('request_binding_mismatch', 'the payment has no nonce to bind by')
            : undefined
        },
        guard: judge,
        resume: judge,
      }
    },
  }
}

const FIELD = `extensions.${requestBinding.key}`

function readRequired(options: unknown): boolean {
  if (options === true) return true
  const { required = true, ...others } = isJsonObject(options) ? options : { required: null }
  if (typeof required === 'boolean' && Object.keys(others).length === 0) return required
  throw new X402Error('invalid_config', { field: FIELD, reason: 'true, or { required: false }' })
}

async function judge({ payment, resource, request }: GuardedPayment): Promise<Refusal | undefined> {
  const { salt } = extensionInfo(payment.extensions, requestBinding.key) ?? {}
  // A bound payment was refused by now if it had no salt.
  if (typeof salt !== 'string') return undefined
  const body = request.body === undefined ? new Uint8Array() : await request.body()
  if (body === undefined) return refuse('request_too_large', 'the body cannot be read to check the payment by')
  const [query = ''] = /\?[^#]*/.exec(request.url) ?? []
  const drawn = drawnBy(payment)
  const binding = hexOf(bindingOf({ method: request.method, url: resource.url + query, body, salt }))
  // Solana's memo holds the first half.
  return drawn !== undefined && binding.startsWith(drawn) ? undefined : refuse('request_binding_mismatch')
}
