import { type ChainOutcome, type ErrorCode, refuse, type SentTransaction, X402Error } from '@groat/core'
import { decodeInteger, encodeCall } from '../abi.js'
import type { EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { EXACT_PERMIT2_PROXY, PERMIT2 } from '../permit2/contracts.js'
import { bitOf, explainPermit2, isNonceUsed } from '../permit2/diagnosis.js'
import type { EvmRpc, Log } from '../rpc.js'
import type { OutcomeOptions } from './method.js'
import { reverted, settled } from './outcome.js'
import { failedTransfer, type Permit2Payment } from './permit2.js'
import { SETTLE, SETTLE_WITH_PERMIT, settlementWords } from './permit2-calls.js'
import { findTransferOf, TRANSFER, topicOf } from './token.js'

/** Transfers of somebody else's that are looked into, the newest first. */
const MAX_CANDIDATES = 16

/**
 * What became of a payment by Permit2: settled by a transaction of ours, or by anybody's who called the proxy with it (EVM-EXACT-132), failed, dead,
 * or still open. The proxy's own events say nothing, so the token's log is the evidence (EVM-EXACT-131).
 */
export async function permit2Outcome(
  chain: EvmChain,
  payment: Permit2Payment,
  sent: readonly SentTransaction[],
  { lookbackBlocks, expiryMarginSeconds }: OutcomeOptions,
): Promise<ChainOutcome> {
  const { payer, transfer, witness } = payment
  const { rpc } = chain
  const move = { from: payer, to: witness.to, value: transfer.amount }
  const [block, used, ...receipts] = await Promise.all([
    rpc.latestBlock(),
    isNonceUsed(rpc, payer, transfer.nonce),
    // The hashes are those that `sign` gave out.
    ...sent.map(({ hash }) => rpc.receipt(hash as Hex)),
  ])
  const included = receipts.filter((receipt) => receipt !== undefined)
  for (const receipt of included) {
    const log = receipt.success ? findTransferOf(receipt.logs, transfer.token, move) : undefined
    if (log) return settled(receipt, log, transfer.amount, receipt.fee)
  }

  const isOver = block.timestamp > transfer.deadline + expiryMarginSeconds
  if (used) {
    const fromBlock = block.number > lookbackBlocks ? block.number - lookbackBlocks : 0n
    const foreign = (await findForeign(rpc, payment, fromBlock)) ?? (await findCancellation(rpc, payment, fromBlock))
    // Where the block of a cancellation is undone the permit is good again, as long as its time lasts (EVM-EXACT-078).
    if (foreign !== undefined) return foreign.status === 'dead' && !isOver ? { status: 'pending' } : foreign
  }
  const [last] = included.slice(-1)
  if (last) {
    const code = last.success ? 'invalid_exact_evm_transfer_event_mismatch' : await whyReverted(chain, payment)
    return reverted(last, code)
  }
  if (!isOver) return { status: 'pending' }
  // In this very block: what answers for the newest one may be behind it.
  const isGone = used || (await isNonceUsed(rpc, payer, transfer.nonce, block.number))
  // Permit2 leaves no mark of a use. While a transaction of ours is unaccounted for, it may be that one (EVM-EXACT-072).
  if (isGone && sent.length > 0) {
    throw new X402Error('rpc_invalid_answer', { reason: 'the nonce is used, and no log or receipt says by what' })
  }
  return { status: 'dead', refusal: refuse(isGone ? 'permit2_invalid_nonce' : 'payment_expired') }
}

/** The number is gone, and not by a receipt that we hold: somebody may have called the proxy with this very payment. */
async function findForeign(rpc: EvmRpc, payment: Permit2Payment, fromBlock: bigint): Promise<ChainOutcome | undefined> {
  const { payer, transfer, witness } = payment
  const topics = [TRANSFER, topicOf(payer), topicOf(witness.to)]
  const logs = await rpc.logs({ address: transfer.token, topics, fromBlock })
  const same = logs.filter(({ data }) => decodeInteger(data) === transfer.amount)
  for (const log of same.slice(-MAX_CANDIDATES).reverse()) {
    const outcome = await readForeign(rpc, payment, log)
    if (outcome !== undefined) return outcome
  }
  return undefined
}

async function readForeign(rpc: EvmRpc, payment: Permit2Payment, log: Log): Promise<ChainOutcome | undefined> {
  const hash = log.transactionHash
  const [transaction, receipt] = await Promise.all([rpc.transaction(hash), rpc.receipt(hash)])
  // Equal transfers stay apart by their number, which only the call shows: a call through another contract proves nothing.
  if (transaction?.to !== EXACT_PERMIT2_PROXY || !isSettlementOf(transaction.data, payment)) return undefined
  if (receipt === undefined) return { status: 'pending' }
  return receipt.success ? settled(receipt, log, payment.transfer.amount) : undefined
}

/** Whether call data hands in exactly this payment. */
function isSettlementOf(data: Hex, payment: Permit2Payment): boolean {
  const words = encodeCall('0x', ...settlementWords(payment)).slice(2)
  const at = data.startsWith(SETTLE) ? 10 : data.startsWith(SETTLE_WITH_PERMIT) ? 10 + 5 * 64 : data.length
  return data.startsWith(words, at)
}

/** The payer took the number back. */
async function findCancellation(
  rpc: EvmRpc,
  payment: Permit2Payment,
  fromBlock: bigint,
): Promise<ChainOutcome | undefined> {
  const { payer, transfer } = payment
  const logs = await rpc.logs({ address: PERMIT2, topics: [NONCE_INVALIDATION, topicOf(payer)], fromBlock })
  const cancelled = logs.some(({ data }) => {
    const mask = decodeInteger(`0x${data.slice(66)}`) ?? 0n
    return decodeInteger(data) === transfer.nonce >> 8n && (mask & bitOf(transfer.nonce)) !== 0n
  })
  return cancelled ? { status: 'dead', refusal: refuse('permit2_invalid_nonce') } : undefined
}

/** `UnorderedNonceInvalidation(address indexed owner, uint256 word, uint256 mask)` */
const NONCE_INVALIDATION: Hex = '0x3704902f963766a4e561bbaab6e6cdc1b1dd12f6e9e99648da8843b3f46b918d'

/** A transaction that failed says little itself; the state after it says more. */
async function whyReverted(chain: EvmChain, payment: Permit2Payment): Promise<ErrorCode> {
  const { code } = await explainPermit2(chain.rpc, failedTransfer(chain, payment))
  return code === 'permit2_simulation_failed' ? 'invalid_exact_evm_transaction_failed' : code
}
