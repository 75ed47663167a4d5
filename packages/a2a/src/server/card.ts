import type { AgentExtension } from '@a2a-js/sdk'
import { extensionUris } from '../wire.js'

/**
 * What an agent card says of payment: both names of the extension, so that clients of either find it. A client has to ask for every extension that is `required`, so that is
 * for agents whose clients all know both.
 *
 * @example
 * const card = { ...about, capabilities: { streaming: true, extensions: x402Extensions() } }
 */
export function x402Extensions({ required = false }: { readonly required?: boolean } = {}): AgentExtension[] {
  return extensionUris.map((uri) => ({ uri, description: 'Tasks are paid for by x402.', required, params: undefined }))
}
