import { assetByAddress, type ErrorCode, formatUnits, type Network, v1NameOf } from '@groat/core'
import { PERMIT2 } from '@groat/evm/permit2'
import { nodesOf } from './chains.js'
import { sandboxNodes } from './wallet.js'

/** What Permit2 has to be let take before a payment can be made, and the command that does it. */
export type MissingApproval = {
  readonly network: Network
  readonly token: string
  readonly spender: string
  /** Atomic units that this payment needs. */
  readonly amount: string
  readonly command: string
}

/** Whether a refusal says that Permit2 has to be approved first. */
export const lacksApproval = (code: ErrorCode): boolean => APPROVALS.has(code)

const APPROVALS: ReadonlySet<ErrorCode> = new Set([
  'permit2_allowance_required',
  'permit2_allowance_not_replaceable',
  'invalid_batch_settlement_evm_permit2_allowance_required',
])

/** Who pays what: an offer that was refused, or a payment that was. */
export type Refused = {
  readonly network: Network
  readonly asset: string
  readonly amount: bigint
  readonly detail?: string | undefined
}

/** The nodes that the command can name: those of the call, else those of a sandbox. */
export async function approvalNodes(target: URL, rpc: readonly string[] = []): Promise<ReadonlyMap<Network, string>> {
  return rpc.length > 0 ? nodesOf([], rpc) : sandboxNodes(target)
}

/**
 * What is missing. A deposit into a channel needs more than the price: the payer's half says how much.
 *
 * @example
 * approvalOf({ network, asset, amount }, new Map()).command // 'groat wallet approve --network base --token USDC --amount 0.05 --rpc base=https://…'
 */
export function approvalOf(refused: Refused, nodes: ReadonlyMap<Network, string>): MissingApproval {
  const { network, asset: token, detail } = refused
  const [, needed] = /, and not (\d+)$/.exec(detail ?? '') ?? []
  const amount = needed === undefined ? refused.amount : BigInt(needed)
  const asset = assetByAddress(network, token)
  const name = v1NameOf(network) ?? network
  const options = [
    `--network ${name}`,
    `--token ${asset?.symbol ?? token}`,
    `--amount ${asset === undefined ? 'unlimited' : formatUnits(amount, asset.decimals)}`,
    `--rpc ${name}=${nodes.get(network) ?? 'https://…'}`,
  ]
  const command = ['groat wallet approve', ...options].join(' ')
  return { network, token, spender: PERMIT2, amount: amount.toString(), command }
}

/** The same in a sentence, and what to do about it. */
export function sayApproval(missing: MissingApproval): { readonly reason: string; readonly hint: string } {
  const { network, token, spender, command } = missing
  const symbol = assetByAddress(network, token)?.symbol
  return {
    reason: `allowance missing: Permit2 (${spender}) may not take enough ${symbol === undefined ? token : `${symbol} (${token})`}`,
    hint: `Approve it with as much as you like, and run this again:\n    ${command}`,
  }
}
