import type { JsonObject, Refusal } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { EvmChain } from '../chain.js'
import { PERMIT2 } from '../permit2/contracts.js'
import { encodeAllowance } from '../permit2/diagnosis.js'
import { type Approval, readApproval } from './approval.js'
import type { AllowanceNeeded } from './eip2612.js'
import type { Sponsor } from './sponsor.js'

/**
 * The approval that has to go first, `undefined` where none has to or nobody pays for it, or why it will not be paid for. Throws `X402Error` `rpc_unreachable` and
 * the like.
 *
 * @example
 * const approval = await approvalNeeded(chain, sponsor, payment.extensions, { payer, token, amount })
 */
export async function approvalNeeded(
  { rpc, engine, chainId }: EvmChain,
  sponsor: Sponsor | undefined,
  extensions: JsonObject | undefined,
  needed: AllowanceNeeded,
): Promise<Approval | Refusal | undefined> {
  if (sponsor === undefined) return undefined
  const { payer, token, amount } = needed
  const approval = readApproval(extensions, { payer, token, amount, engine, chainId, maxGas: sponsor.maxGas })
  if (approval === undefined || 'code' in approval) return approval
  const allowance = await rpc.call({ to: token, data: encodeAllowance(payer, PERMIT2) })
  return allowance.ok && (decodeInteger(allowance.data) ?? 0n) >= amount ? undefined : approval
}
