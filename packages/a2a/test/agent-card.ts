import type { AgentCard } from '@a2a-js/sdk'
import { x402Extensions } from '../src/server/index.js'

/** The card of an agent for tests: one answer, sold over JSON-RPC in these versions of A2A. */
export function agentCard(url: string, versions: readonly string[] = ['1.0', '0.3']): AgentCard {
  return {
    name: 'agent',
    description: 'Sells one answer',
    version: '1',
    supportedInterfaces: versions.map((protocolVersion) => ({
      url,
      protocolBinding: 'JSONRPC',
      tenant: '',
      protocolVersion,
    })),
    provider: undefined,
    capabilities: { streaming: false, pushNotifications: false, extensions: x402Extensions() },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    signatures: [],
  }
}
