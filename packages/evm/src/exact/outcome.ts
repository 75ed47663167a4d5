import { type ChainOutcome, type ErrorCode, refuse, type SentTransaction, X402Error } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import type { Log, Receipt } from '../rpc.js'
import { explainFailure } from './diagnosis.js'
import type { OutcomeOptions } from './method.js'
import type { ExactPayment } from './shared.js'
import {
  AUTHORIZATION_CANCELED,
  AUTHORIZATION_USED,
  encodeAuthorizationState,
  findTransfer,
  isMark,
  topicOf,
} from './token.js'

/**
 * What became of a payment: settled by a transaction of ours or by anybody's (EVM-EXACT-067), failed, dead, or still open.
 * Settled is said only of the token's own logs, and dead of a used nonce only when its mark was seen (EVM-EXACT-072). Throws `X402Error`
 * `rpc_unreachable` and the like, also for a receipt without logs, and for a nonce that is used by nothing that the node shows.
 *
 * @example
 * const outcome = await chainOutcome(chain, payment, sent, { lookbackBlocks: 10_000n, expiryMarginSeconds: 30n })
 */
export async function chainOutcome(
  chain: EvmChain,
  payment: ExactPayment,
  sent: readonly SentTransaction[],
  { lookbackBlocks, expiryMarginSeconds }: OutcomeOptions,
): Promise<ChainOutcome> {
  const { authorization, domain } = payment
  const token = domain.verifyingContract
  // Payments that travelled together have one receipt: it is asked for once, and mostly it says all.
  // The hashes are those that `sign` gave out.
  const receiptsOf = async () =>
    (await Promise.all(sent.map(({ hash }) => chain.rpc.receipt(hash as Hex)))).filter((each) => each !== undefined)
  const settledBy = (receipts: readonly Receipt[]) => {
    for (const receipt of receipts) {
      const transfer = receipt.success ? findTransfer(receipt.logs, token, authorization) : undefined
      if (transfer) return settled(receipt, transfer, authorization.value, receipt.fee)
    }
    return undefined
  }
  const included = await receiptsOf()
  const own = settledBy(included)
  if (own !== undefined) return own

  const [block, state] = await Promise.all([
    chain.rpc.latestBlock(),
    chain.rpc.call({ to: token, data: encodeAuthorizationState(authorization) }),
  ])
  const used = state.ok && decodeInteger(state.data) === 1n
  const isOver = block.timestamp >= authorization.validBefore + expiryMarginSeconds
  if (used) {
    // Between the two questions a transaction of ours may have come in: that is cheaper to see than any log.
    const late = included.length < sent.length ? settledBy(await receiptsOf()) : undefined
    if (late !== undefined) return late
    const fromBlock = block.number > lookbackBlocks ? block.number - lookbackBlocks : 0n
    const foreign = await findForeign(chain, payment, sent, fromBlock)
    // Where the block of a cancellation is undone the authorization is good again, as long as its time lasts (EVM-EXACT-078).
    if (foreign !== undefined) return foreign.status === 'dead' && !isOver ? { status: 'pending' } : foreign
  }
  const [last] = included.slice(-1)
  if (last) {
    const code = last.success ? 'invalid_exact_evm_transfer_event_mismatch' : await whyReverted(chain, payment)
    return reverted(last, code)
  }
  // A node that has the state and not yet the logs is common, a moment after a transaction of ours.
  if (!isOver && (!used || sent.length > 0)) return { status: 'pending' }
  if (used || !(await isUnused(chain, payment, block.number))) {
    throw new X402Error('rpc_invalid_answer', { reason: 'the nonce is used, and no log or receipt says by what' })
  }
  return { status: 'dead', refusal: refuse('payment_expired') }
}

/** Whether the nonce was free in this very block (EVM-EXACT-073): what answers for the newest one may be behind it. */
async function isUnused({ rpc }: EvmChain, { authorization, domain }: ExactPayment, block: bigint): Promise<boolean> {
  const state = await rpc.call({ to: domain.verifyingContract, data: encodeAuthorizationState(authorization) }, block)
  return state.ok && decodeInteger(state.data) === 0n
}

/** The nonce is gone, and not by a receipt that we hold: the token's marks say by what. */
async function findForeign(
  { rpc }: EvmChain,
  payment: ExactPayment,
  sent: readonly SentTransaction[],
  fromBlock: bigint,
): Promise<ChainOutcome | undefined> {
  const { authorization, domain } = payment
  const address = domain.verifyingContract
  const marks = [AUTHORIZATION_USED, AUTHORIZATION_CANCELED]
  const [mark] = await rpc.logs({
    address,
    topics: [marks, topicOf(authorization.from), authorization.nonce],
    fromBlock,
  })
  if (mark === undefined) return undefined
  if (isMark(mark, AUTHORIZATION_USED, authorization)) {
    const receipt = await rpc.receipt(mark.transactionHash)
    // The block was dropped between the two questions, or the node has yet to catch up with itself.
    if (receipt === undefined) return undefined
    const transfer = findTransfer(receipt.logs, address, authorization)
    // One of ours, if it landed since its receipt was asked for.
    const isOurs = sent.some(({ hash }) => hash === receipt.transactionHash)
    if (transfer) return settled(receipt, transfer, authorization.value, isOurs ? receipt.fee : undefined)
  }
  return { status: 'dead', refusal: refuse('invalid_exact_evm_nonce_already_used') }
}

/** Settled by this log of this receipt; `fee` is what it cost us. */
export function settled(receipt: Receipt, transfer: Log, amount: bigint, fee?: bigint): ChainOutcome {
  const { transactionHash: transaction, blockNumber, blockHash } = receipt
  const outcome = {
    status: 'settled',
    transaction,
    logIndex: transfer.logIndex,
    blockNumber,
    blockHash,
    amount,
  } as const
  return fee === undefined ? outcome : { fee, ...outcome }
}

/** Ours, and it moved nothing. */
export function reverted({ transactionHash: transaction, blockNumber }: Receipt, code: ErrorCode): ChainOutcome {
  return { status: 'reverted', transaction, blockNumber, refusal: refuse(code) }
}

/** A transaction that failed says little itself; the state after it says more. */
async function whyReverted(chain: EvmChain, payment: ExactPayment): Promise<ErrorCode> {
  const { code } = await explainFailure(chain, payment)
  return code === 'invalid_exact_evm_transaction_simulation_failed' ? 'invalid_exact_evm_transaction_failed' : code
}
