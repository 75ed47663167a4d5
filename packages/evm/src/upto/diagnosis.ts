import { type Refusal, refuse } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { EvmChain } from '../chain.js'
import { encodeBalanceOf } from '../exact/token.js'
import type { CallOutcome } from '../rpc.js'
import { walletAccepts } from '../wallet.js'
import { uptoDigest } from './authorization.js'
import { encodeAllowance, isUsed, nonceBitmapCall } from './proxy.js'
import type { UptoPayment } from './shared.js'

/**
 * Why a settlement would not go through, in one round trip. The most telling reason wins.
 * Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * const refusal = await explainFailure(chain, payment, 12_345n)
 */
export async function explainFailure(
  { rpc, engine }: EvmChain,
  { authorization, signature, chainId }: UptoPayment,
  amount: bigint,
): Promise<Refusal> {
  const { from, token, nonce, deadline, validAfter } = authorization
  const digest = uptoDigest(engine, chainId, authorization)
  const [code, bitmap, balance, allowance, block, wallet, accepted] = await Promise.all([
    rpc.code(token),
    rpc.call(nonceBitmapCall(from, nonce)),
    rpc.call({ to: token, data: encodeBalanceOf(from) }),
    rpc.call({ to: token, data: encodeAllowance(from) }),
    rpc.latestBlock(),
    rpc.code(from),
    walletAccepts(rpc, { payer: from, digest, signature }),
  ])
  if (code === '0x') return refuse('asset_not_deployed_contract')
  if (isUsed(integerOf(bitmap), nonce)) return refuse('permit2_invalid_nonce')
  if (integerOf(balance) < amount) return refuse('permit2_insufficient_balance')
  if (integerOf(allowance) < amount) return refuse('permit2_allowance_required')
  if (wallet !== '0x' && !accepted) return refuse('invalid_permit2_signature')
  if (block.timestamp > deadline) return refuse('permit2_deadline_expired')
  if (block.timestamp < validAfter) return refuse('permit2_not_yet_valid')
  return refuse('permit2_simulation_failed')
}

const integerOf = (outcome: CallOutcome): bigint => (outcome.ok ? decodeInteger(outcome.data) : undefined) ?? 0n
