import { type ExtensionClient, isJsonObject, type Json, X402Error } from '@groat/core'
import { builderCode, isCode, MAX_SERVICES } from './builder-code.js'

/**
 * The payer's half of `builder-code`: puts the services that made the payment before those of the seller, and echoes the app's code as it came.
 * Throws `X402Error` `invalid_config` for what is no code, and for more than five.
 *
 * @example
 * const payer = createPayer({ schemes, extensions: [namedServices(['agent_sdk'])] })
 */
export function namedServices(services: readonly string[]): ExtensionClient {
  if (!services.every(isCode) || services.length > MAX_SERVICES) {
    throw new X402Error('invalid_config', { field: 'services', reason: 'at most five codes of 1 to 32 a-z, 0-9 and _' })
  }
  return {
    extension: builderCode,
    attach: ({ info, schema }) => {
      if (!isJsonObject(info)) return undefined
      const theirs: readonly Json[] = Array.isArray(info.s) ? info.s.slice(0, MAX_SERVICES) : []
      const s = [...new Set([...services, ...theirs])]
      const named = s.length === 0 ? info : { ...info, s }
      return { info: named, ...(schema === undefined ? {} : { schema }) }
    },
  }
}
