import {
  check,
  comparableBody,
  type ExtensionServer,
  extensionInfo,
  type GuardedPayment,
  isJsonObject,
  type Refusal,
  refuse,
  X402Error,
} from '@groat/core'
import { bindingOf, boundHeaders, hexOf, requestBinding, WIRE_SCHEMA } from './request-binding.js'
import * as shapes from './schema.shapes.js'
import { drawnBy } from './slot.js'

export { type BoundRequest, bindingOf } from './request-binding.js'
export { drawnBy } from './slot.js'

/**
 * The seller's half of `groat-request-binding`: a payment whose nonce was not made from this very method, URL and body is refused before any work and any money
 * (`request_binding_mismatch`). A route declares it as `true`, which refuses payments that are not bound, or as `{ required, headers }`: `required: false` takes
 * others too, and `headers` names those that decide what is done, such as `content-type`, so that they are bound as well (EXT-BIND-008). The paywall needs its `origin`.
 *
 * @example
 * const paid = paywall({ ...shop, origin: 'https://shop.example', extensions: [boundRequests()] })
 * app.post('/orders', paid({ price: '$1', extensions: { 'groat-request-binding': true } }), order)
 */
export function boundRequests(): ExtensionServer {
  return {
    extension: requestBinding,
    declare: (options, { origin }) => {
      const terms = readTerms(options)
      const { required, headers } = terms
      if (origin === undefined) {
        const reason = 'the paywall needs its origin: what a request says of its host is its sender’s word'
        throw new X402Error('invalid_config', { field: FIELD, reason })
      }
      return {
        announce: { info: { version: 1, ...terms }, schema: WIRE_SCHEMA },
        inspect: (payment) => {
          const info = extensionInfo(payment.extensions, requestBinding.key)
          const isBound = info !== undefined && Object.hasOwn(info, 'salt')
          if (!isBound) return required ? refuse('request_binding_required') : undefined
          if (!check(shapes.BindingInfo, info).ok) return refuse('extension_invalid', requestBinding.key)
          return drawnBy(payment) === undefined
            ? refuse('request_binding_mismatch', 'the payment has no nonce to bind by')
            : undefined
        },
        guard: (payment) => judge(payment, headers),
        resume: (payment) => judge(payment, headers),
      }
    },
  }
}

const FIELD = `extensions.${requestBinding.key}`

type Terms = { readonly required: boolean; readonly headers?: string[] }

function readTerms(options: unknown): Terms {
  if (options === true) return { required: true }
  const { required = true, headers, ...others } = isJsonObject(options) ? options : { required: null }
  const names = Array.isArray(headers) ? headers.map((name) => (isBindable(name) ? name.toLowerCase() : undefined)) : []
  const isFine = (headers === undefined || Array.isArray(headers)) && !names.includes(undefined) && names.length <= 16
  if (typeof required === 'boolean' && isFine && Object.keys(others).length === 0) {
    const named = [...new Set(names.filter((name) => name !== undefined))].sort()
    return { required, ...(named.length === 0 ? {} : { headers: named }) }
  }
  throw new X402Error('invalid_config', {
    field: FIELD,
    reason: 'true, or { required, headers }: up to 16 headers that reach the server as the payer has sent them',
  })
}

const isBindable = (name: unknown): name is string =>
  typeof name === 'string' && /^[a-zA-Z0-9-]{1,64}$/.test(name) && !NOT_OURS.test(name)

/** What platforms and proxies write, and what carries payments. */
const NOT_OURS =
  /^(?:(?:accept-encoding|connection|content-length|cookie|date|expect|forwarded|host|keep-alive|origin|referer|te|trailer|transfer-encoding|upgrade|user-agent|via|x-payment|sign-in-with-x)$|(?:payment|proxy|sec|cf|x-forwarded|x-real)-)/i

async function judge(
  { payment, resource, request }: GuardedPayment,
  headers: readonly string[] | undefined,
): Promise<Refusal | undefined> {
  const { salt } = extensionInfo(payment.extensions, requestBinding.key) ?? {}
  // A bound payment was refused by now if it had no salt.
  if (typeof salt !== 'string') return undefined
  const bytes = request.body === undefined ? new Uint8Array() : await request.body()
  if (bytes === undefined) return refuse('request_too_large', 'the body cannot be read to check the payment by')
  const [query = ''] = /\?[^#]*/.exec(request.url) ?? []
  const drawn = drawnBy(payment)
  const body = comparableBody(bytes, request.header('content-type'))
  // Which headers count is ours to say: what a payment says of it is its sender's word.
  const named = boundHeaders(headers, request.header)
  const binding = hexOf(bindingOf({ method: request.method, url: resource.url + query, body, ...named, salt }))
  // Solana's memo holds the first half.
  return drawn !== undefined && binding.startsWith(drawn) ? undefined : refuse('request_binding_mismatch')
}
