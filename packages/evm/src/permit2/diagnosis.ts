import { type Refusal, refuse } from '@groat/core'
import { decodeInteger, encodeCall } from '../abi.js'
import type { Address } from '../address.js'
import type { Hex } from '../hex.js'
import type { CallOutcome, EvmRpc } from '../rpc.js'
import { type SignatureClaim, walletAccepts } from '../wallet.js'
import { PERMIT2 } from './contracts.js'
import type { PermitTransfer } from './signing.js'

/** A transfer through Permit2 that would not go through. */
export type FailedTransfer = {
  readonly claim: SignatureClaim
  readonly transfer: Pick<PermitTransfer, 'token' | 'amount' | 'nonce' | 'deadline'>
  /** Seconds since 1970; valid from this second on. */
  readonly validAfter: bigint
}

/**
 * Why a transfer through Permit2 would not go through, in one round trip; for `exact` and `upto` alike. The most telling reason wins:
 * `asset_not_deployed_contract`, `permit2_invalid_nonce`, `permit2_insufficient_balance`, `invalid_permit2_signature` (a wallet that does not take
 * it), `permit2_allowance_required`, `permit2_deadline_expired`, `permit2_not_yet_valid`, else `permit2_simulation_failed`. It goes by state and not by
 * revert data, which nodes pass on or do not. Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * return { ...(await explainPermit2(chain.rpc, { claim, transfer, validAfter: 0n })), payer }
 */
export async function explainPermit2(rpc: EvmRpc, { claim, transfer, validAfter }: FailedTransfer): Promise<Refusal> {
  const { payer } = claim
  const { token, amount, nonce, deadline } = transfer
  const [code, used, balance, allowance, wallet, accepted, block] = await Promise.all([
    rpc.code(token),
    isNonceUsed(rpc, payer, nonce),
    rpc.call({ to: token, data: encodeCall(BALANCE_OF, payer) }),
    rpc.call({ to: token, data: encodeAllowance(payer, PERMIT2) }),
    rpc.code(payer),
    walletAccepts(rpc, claim),
    rpc.latestBlock(),
  ])
  if (code === '0x') return refuse('asset_not_deployed_contract')
  if (used) return refuse('permit2_invalid_nonce')
  if (integerOf(balance) < amount) return refuse('permit2_insufficient_balance')
  if (wallet !== '0x' && !accepted) return refuse('invalid_permit2_signature')
  if (integerOf(allowance) < amount) return refuse('permit2_allowance_required')
  if (block.timestamp > deadline) return refuse('permit2_deadline_expired')
  if (block.timestamp < validAfter) return refuse('permit2_not_yet_valid')
  return refuse('permit2_simulation_failed')
}

/**
 * Whether a payer's number is used up, by a transfer or because the payer took it back, in the newest block unless told in which.
 *
 * @example
 * await isNonceUsed(chain.rpc, payer, transfer.nonce) // false
 */
export async function isNonceUsed(rpc: EvmRpc, payer: Address, nonce: bigint, block?: bigint): Promise<boolean> {
  const word = await wordOf(rpc, payer, nonce, block)
  // What cannot be read is not known to be free.
  return word === undefined || (word & bitOf(nonce)) !== 0n
}

/**
 * Whether a payer's number is proved to be used up, in the newest block: what cannot be read is not.
 *
 * @example
 * await isKnownUsed(rpc, payer, transfer.nonce) // false
 */
export async function isKnownUsed(rpc: EvmRpc, payer: Address, nonce: bigint): Promise<boolean> {
  return (((await wordOf(rpc, payer, nonce)) ?? 0n) & bitOf(nonce)) !== 0n
}

async function wordOf(rpc: EvmRpc, payer: Address, nonce: bigint, block?: bigint): Promise<bigint | undefined> {
  const bitmap = await rpc.call({ to: PERMIT2, data: encodeCall(NONCE_BITMAP, payer, nonce >> 8n) }, block)
  return bitmap.ok ? integerOf(bitmap) : undefined
}

/** The bit of a number in its word of Permit2's bitmap. */
export const bitOf = (nonce: bigint): bigint => 1n << (nonce & 255n)

/** `allowance(address,address)`: how much of an owner's tokens a spender may take. */
export const encodeAllowance = (owner: Address, spender: Address): Hex => encodeCall('0xdd62ed3e', owner, spender)

/** `nonceBitmap(address,uint256)` */
const NONCE_BITMAP: Hex = '0x4fe02b44'
/** `balanceOf(address)` */
const BALANCE_OF: Hex = '0x70a08231'

const integerOf = (outcome: CallOutcome): bigint => (outcome.ok ? (decodeInteger(outcome.data) ?? 0n) : 0n)
