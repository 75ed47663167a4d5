import { type Clock, type Refusal, refuse, systemClock, X402Error } from '@groat/core'
import { decodeInteger, encodeCall } from '../abi.js'
import { type Address, parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import type { CallOutcome, EvmRpc } from '../rpc.js'
import { sendCall } from '../send.js'
import { APPROVE } from '../sponsoring/approval.js'
import { PERMIT2 } from './contracts.js'
import { encodeAllowance } from './diagnosis.js'

/** What Permit2 shall be let take of somebody's tokens: atomic units, 0 for nothing and `2n ** 256n - 1n` for everything. */
export type Permit2Approval = { readonly owner: string; readonly token: string; readonly amount: bigint }

/** How that comes about. */
export type ApprovalPlan = {
  readonly ok: true
  /** Atomic units that Permit2 may take now. */
  readonly allowed: bigint
  /** Amounts to approve, one after the other: none where it is so already, and zero first where the token changes an allowance from zero only. */
  readonly steps: readonly bigint[]
}

/**
 * Plans an approval of Permit2 by looking, without a signature. Refuses `asset_not_deployed_contract`, and `simulation_failed` where the token takes no approval. Throws
 * `X402Error` `invalid_config` for what is no address, `rpc_unreachable` and the like.
 *
 * @example
 * const plan = await planApproval(chain.rpc, { owner, token, amount: 5_000_000n })
 */
export async function planApproval(rpc: EvmRpc, approval: Permit2Approval): Promise<ApprovalPlan | Refusal> {
  const { owner, token, amount } = approval
  const [answer, isTaken] = await Promise.all([
    rpc.call({ to: addressOf(token), data: encodeAllowance(addressOf(owner), PERMIT2) }),
    takesApproval(rpc, approval),
  ])
  const allowed = answer.ok ? decodeInteger(answer.data) : undefined
  if (allowed === undefined) return refuse('asset_not_deployed_contract')
  if (allowed === amount) return { ok: true, allowed, steps: [] }
  if (isTaken) return { ok: true, allowed, steps: [amount] }
  const isClearable = allowed > 0n && amount > 0n && (await takesApproval(rpc, { ...approval, amount: 0n }))
  return isClearable ? { ok: true, allowed, steps: [0n, amount] } : refuse('simulation_failed', 'no approval is taken')
}

/**
 * Whether a token would take an approval as things stand: some change an allowance only from zero.
 *
 * @example
 * await takesApproval(chain.rpc, { owner, token, amount: 1_000_000n })
 */
export async function takesApproval(rpc: EvmRpc, { owner, token, amount }: Permit2Approval): Promise<boolean> {
  return isTaken(
    await rpc.call({ from: addressOf(owner), to: addressOf(token), data: encodeCall(APPROVE, PERMIT2, amount) }),
  )
}

/** Tokens answer with a word that says so, or with nothing. */
const isTaken = (outcome: CallOutcome): boolean =>
  outcome.ok && (outcome.data === '0x' || decodeInteger(outcome.data) === 1n)

/**
 * Carries out a plan, from the chain's first signer, who pays for the gas; answers the hashes. Throws `X402Error` `invalid_config` without a signer,
 * `rpc_unreachable` and the like, and `unexpected_settle_error` for what reverts, does not land in time (2 minutes for each unless told) or changes
 * nothing.
 *
 * @example
 * const hashes = await approvePermit2(await createEvmChain({ network, rpc, signers: [ownerKey] }), token, plan)
 */
export async function approvePermit2(
  chain: EvmChain,
  token: string,
  { steps }: Pick<ApprovalPlan, 'steps'>,
  { waitMs = 120_000, clock = systemClock }: { readonly waitMs?: number; readonly clock?: Clock } = {},
): Promise<readonly Hex[]> {
  const hashes: Hex[] = []
  const to = addressOf(token)
  for (const amount of steps) {
    const call = { to, data: encodeCall(APPROVE, PERMIT2, amount), gas: APPROVAL_GAS }
    const { transactionHash } = await sendCall(chain, call, { waitMs, clock, failed: 'unexpected_settle_error' })
    hashes.push(transactionHash)
  }
  const [wanted] = steps.slice(-1)
  const [owner = ''] = chain.signers
  if (wanted === undefined) return hashes
  const answer = await chain.rpc.call({ to, data: encodeAllowance(addressOf(owner), PERMIT2) })
  if (answer.ok && decodeInteger(answer.data) === wanted) return hashes
  throw new X402Error('unexpected_settle_error', { token, wanted: wanted.toString() })
}

/** Plenty for any token's own. */
const APPROVAL_GAS = 100_000n

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new X402Error('invalid_config', { address: text })
  return address
}
