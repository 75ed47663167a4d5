import { isJsonObject, type JsonObject } from '@groat/core'
import { routePrice } from './price-words.js'
import type { DescribedRoute, DescribedService } from './service.js'

/** The names by which the x402 extension of A2A goes: readers know one or the other. */
export const A2A_X402_URIS: readonly string[] = [
  'https://github.com/google-a2a/a2a-x402/v0.1',
  'https://github.com/google-agentic-commerce/a2a-x402/blob/main/spec/v0.2',
]

/**
 * The A2A agent card of a seller, as versions 1.0 and 0.3 of the protocol read it; each route is a skill. `undefined` where the seller has no A2A endpoint:
 * a card of what speaks no A2A would send agents to a closed door (DESC-004).
 *
 * @example
 * agentCard({ origin, title: 'Shop', routes, agent: { url: 'https://shop.example/a2a' } })?.skills
 */
export function agentCard(service: DescribedService): JsonObject | undefined {
  const { agent, title, description = title, version = '1.0.0', documentation, iconUrl, origin, routes } = service
  if (agent === undefined) return undefined
  const { url, binding = 'JSONRPC', protocolVersion = '1.0' } = agent
  const accepts = [...new Set(routes.flatMap(({ offers }) => offers.map(({ requirements }) => requirements.network)))]
  return {
    ...{ name: title, description, version },
    supportedInterfaces: [{ url, protocolBinding: binding, protocolVersion, tenant: '' }],
    // The members of version 0.3, whose readers look for the endpoint here.
    ...{ url, preferredTransport: binding, protocolVersion: '0.3.0' },
    provider: { organization: title, url: origin },
    ...(documentation === undefined ? {} : { documentationUrl: documentation }),
    ...(iconUrl === undefined ? {} : { iconUrl }),
    capabilities: {
      streaming: false,
      pushNotifications: false,
      extensions: A2A_X402_URIS.map((uri) => ({
        ...{ uri, description: 'Takes payments by x402', required: false },
        params: { networks: accepts },
      })),
    },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: ['application/json', 'text/plain'],
    defaultOutputModes: [...new Set(routes.map(({ about }) => about.mimeType ?? 'application/json'))],
    skills: routes.map(skillOf),
    signatures: [],
  }
}

function skillOf(route: DescribedRoute): JsonObject {
  const { method, path, about, extensions = {} } = route
  const info = isJsonObject(extensions.bazaar) ? extensions.bazaar.info : undefined
  const input = isJsonObject(info) && isJsonObject(info.input) ? info.input : {}
  const example = input.body ?? input.queryParams
  return {
    id: `${method} ${path}`,
    name: about.serviceName ?? `${method} ${path}`,
    description: `${about.description ?? `${method} ${path}`} (${routePrice(route)})`,
    tags: about.tags ?? ['x402'],
    examples: example === undefined ? [] : [JSON.stringify(example)],
    inputModes: [],
    outputModes: about.mimeType === undefined ? [] : [about.mimeType],
    securityRequirements: [],
  }
}
