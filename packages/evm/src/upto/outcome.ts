import { type ChainOutcome, type ErrorCode, refuse, type SentTransaction, X402Error } from '@groat/core'
import type { EvmChain } from '../chain.js'
import { reverted, settled } from '../exact/outcome.js'
import { findTransferOf } from '../exact/token.js'
import type { Hex } from '../hex.js'
import { isNonceUsed } from '../permit2/diagnosis.js'
import { explainFailure } from './diagnosis.js'
import type { UptoPayment } from './shared.js'

/**
 * What became of a payment: settled by a transaction of ours (nobody else can), failed, dead, or still open (EVM-UPTO-052, 053).
 * Settled is said only of the token's own log of exactly this transfer. Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * const outcome = await chainOutcome(chain, payment, 12_345n, sent, 30n)
 */
export async function chainOutcome(
  chain: EvmChain,
  payment: UptoPayment,
  amount: bigint,
  sent: readonly SentTransaction[],
  expiryMarginSeconds: bigint,
): Promise<ChainOutcome> {
  const { from, to, token, nonce, deadline } = payment.authorization
  // Mostly the receipt says all. The hashes are those that `sign` gave out.
  const receipts = await Promise.all(sent.map(({ hash }) => chain.rpc.receipt(hash as Hex)))
  const included = receipts.filter((receipt) => receipt !== undefined)
  // One transaction of ours settles one payment, so its log of this payer, recipient and amount is this payment's.
  for (const receipt of included) {
    const transfer = receipt.success ? findTransferOf(receipt.logs, token, { from, to, value: amount }) : undefined
    if (transfer) return settled(receipt, transfer, amount, receipt.fee)
  }
  const [last] = included.slice(-1)
  if (last) {
    const code = last.success ? 'invalid_upto_evm_transaction_failed' : await whyReverted(chain, payment, amount)
    return reverted(last, code)
  }
  const block = await chain.rpc.latestBlock()
  if (block.timestamp <= deadline + expiryMarginSeconds) return { status: 'pending' }
  // In this very block: what answers for the newest one may be behind it.
  const used = await isNonceUsed(chain.rpc, from, nonce, block.number)
  // Nobody but us can have settled it: that we did is not shown false by a node that has the state and not yet the receipt.
  if (used && sent.length > 0) {
    throw new X402Error('rpc_invalid_answer', { reason: 'the nonce is used, and no receipt says by what' })
  }
  return { status: 'dead', refusal: refuse(used ? 'permit2_invalid_nonce' : 'payment_expired') }
}

/** A transaction that failed says little itself; the state after it says more. */
async function whyReverted(chain: EvmChain, payment: UptoPayment, amount: bigint): Promise<ErrorCode> {
  const { code } = await explainFailure(chain, payment, amount)
  return code === 'permit2_simulation_failed' ? 'invalid_upto_evm_transaction_failed' : code
}
