import { type ExtensionServer, extensionInfo, isJsonObject, type Json, refuse, X402Error } from '@groat/core'
import { builderCode, isCode, MAX_SERVICES, WIRE_SCHEMA } from './builder-code.js'

/**
 * The seller's half of `builder-code`: announces the app's code, and services beside it. A payer may add services and nothing else; a payment with more than ten, or with
 * another app, is refused. A route declares it as `{ a: 'shop_app' }`, with `s: ['sdk']` where there are services.
 *
 * @example
 * const paid = paywall({ ...shop, extensions: [builderCodes()] })
 * app.get('/weather', paid({ price: '$0.001', extensions: { 'builder-code': { a: 'shop_app' } } }), weather)
 */
export function builderCodes(): ExtensionServer {
  return {
    extension: builderCode,
    declare: (options) => ({
      announce: { info: readCodes(options), schema: WIRE_SCHEMA },
      // What was added is held to its form also where nothing of it was announced.
      inspect: ({ extensions }) => {
        const { s } = extensionInfo(extensions, builderCode.key) ?? {}
        return s === undefined || (Array.isArray(s) && s.length <= 10 && s.every(isCode))
          ? undefined
          : refuse('extension_invalid', builderCode.key)
      },
    }),
  }
}

function readCodes(options: Json): { a?: string; s?: readonly string[] } {
  const { a, s, ...others } = isJsonObject(options) ? options : { a: null }
  const services: readonly Json[] | undefined = s === undefined ? [] : Array.isArray(s) ? s : undefined
  const good = services?.every(isCode) && services.length <= MAX_SERVICES
  if ((a === undefined || isCode(a)) && good && Object.keys(others).length === 0) {
    return { ...(a === undefined ? {} : { a }), ...(services.length === 0 ? {} : { s: services.filter(isCode) }) }
  }
  throw new X402Error('invalid_config', {
    field: `extensions.${builderCode.key}`,
    reason:
      '{ a: code, s: [codes] }; a code has 1 to 32 lower-case letters, digits and _, and there are at most five services',
  })
}
