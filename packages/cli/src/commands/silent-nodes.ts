import { isNetwork, type Network, networkFamily, X402Error } from '@groat/core'
import type { NetworkConfig } from '../config/facilitator-config.js'
import { CliError } from '../terminal/exit.js'
import { nameOf } from './refusal.js'

/**
 * What a start failed of. That no node of a network answers, or that one serves another chain, is said with their hosts, since URLs may hold
 * keys, and with why; everything else stays what it is.
 *
 * @example
 * await service.start().catch((error: unknown) => Promise.reject(namingNodes(error, config.networks)))
 */
export function namingNodes(error: unknown, networks: readonly NetworkConfig[]): unknown {
  if (!X402Error.is(error)) return error
  const asked = networks.find(({ network }) => network === error.context.network)
  if (asked === undefined) return error
  if (error.code === 'rpc_wrong_chain') return elsewhere(error, asked.network)
  if (error.code !== 'rpc_unreachable') return error
  const hosts = asked.rpc.map((url) => new URL(url).host).join(', ')
  const why = whyOf(error)
  const text = `no node of ${nameOf(asked.network)} answers: ${hosts}${why === undefined ? '' : ` (${why})`}`
  return new CliError('unreachable', text, 'Look at `rpc` of this network in the file, and at the node.', {
    cause: error,
  })
}

function elsewhere(cause: X402Error, expected: Network): CliError {
  const { node, answered } = cause.context
  const found = answered === undefined ? '' : `${networkFamily(expected)}:${answered}`
  const text = `${node} is ${isNetwork(found) ? `a node of ${bothNames(found)}, not` : 'no node'} of ${bothNames(expected)}`
  return new CliError('no', text, 'Look at `rpc` of this network in the file, and at its name there.', { cause })
}

function bothNames(network: Network): string {
  const name = nameOf(network)
  return name === network ? name : `${name} (${network})`
}

/** The status that the last node answered, what the system said of the connection, or that there was no answer in time. */
function whyOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  // A call that was given up has no word of the system's.
  if (error.message === 'given up' || error.name === 'AbortError') return 'timed out'
  if (X402Error.is(error) && typeof error.context.status === 'number') return `status ${error.context.status}`
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'ETIMEDOUT' || code === 'UND_ERR_CONNECT_TIMEOUT') return 'timed out'
  return /^E[A-Z_]+$/.test(code) ? code : whyOf(error.cause)
}
