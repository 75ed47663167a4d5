import { type ChainOutcome, type ErrorCode, refuse, type SentTransaction, X402Error } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { EvmChain } from '../chain.js'
import { areGone } from '../exact/numbers.js'
import { reverted, settled } from '../exact/outcome.js'
import type { Hex } from '../hex.js'
import type { Log, Receipt } from '../rpc.js'
import type { HoldAction } from './action.js'
import { type EscrowState, escrowEvents, readState } from './escrow.js'
import { AUTH_CAPTURE_ESCROW } from './identity.js'
import type { CollectPayment } from './shared.js'

/** How far the chain is searched, and when an end counts as passed. */
export type OutcomeOptions = { readonly lookbackBlocks: bigint; readonly expiryMarginSeconds: bigint }

/**
 * What became of a payer's payment: collected, failed, dead, or still open (EVM-CAPTURE-053, 054). Collected is said of the escrow's own log of this payment. Throws `X402Error` `rpc_unreachable` and the like.
 */
export async function collectOutcome(
  chain: EvmChain,
  payment: CollectPayment,
  sent: readonly SentTransaction[],
  { lookbackBlocks, expiryMarginSeconds }: OutcomeOptions,
): Promise<ChainOutcome> {
  const { rpc } = chain
  const { info, infoHash, terms } = payment
  const amount = payment.completion?.amount ?? info.maxAmount
  const event = terms.flow === 'escrow' ? escrowEvents.authorize : escrowEvents.charge
  const receipts = await receiptsOf(chain, sent)
  // The escrow logs it after it has counted what arrived, so a token that says nothing of it takes nothing away.
  const evidence = (receipt: Receipt) => findMark(receipt.logs, event, infoHash)
  for (const receipt of receipts) {
    const log = receipt.success ? evidence(receipt) : undefined
    if (log) return settled(receipt, log, amount, receipt.fee)
  }

  const block = await rpc.latestBlock()
  const { collected } = await readState(rpc, infoHash)
  if (collected) {
    // The escrow collects once, and only for its operator: it was us, by a receipt that we did not see.
    const fromBlock = block.number > lookbackBlocks ? block.number - lookbackBlocks : 0n
    const [mark] = await rpc.logs({ address: AUTH_CAPTURE_ESCROW, topics: [event, infoHash], fromBlock })
    const receipt = mark && (await rpc.receipt(mark.transactionHash))
    const log = receipt && evidence(receipt)
    if (receipt && log) return settled(receipt, log, amount, receipt.fee)
    throw new X402Error('rpc_invalid_answer', {
      reason: 'the payment is collected, and no log or receipt says by what',
    })
  }
  const [last] = receipts.slice(-1)
  if (last) {
    return reverted(last, REVERTED)
  }
  if (block.timestamp <= info.preApprovalExpiry + expiryMarginSeconds) return { status: 'pending' }
  // In this very block: what answers for the newest one may be behind it.
  const state = await readState(rpc, infoHash, block.number)
  return state.collected ? { status: 'pending' } : { status: 'dead', refusal: refuse('payment_expired') }
}

/** What became of a capture, a void or a refund (EVM-CAPTURE-065). */
export async function actionOutcome(
  chain: EvmChain,
  { info, infoHash, permission }: HoldAction,
  sent: readonly SentTransaction[],
  { expiryMarginSeconds }: OutcomeOptions,
): Promise<ChainOutcome> {
  const receipts = await receiptsOf(chain, sent)
  for (const receipt of receipts) {
    const log = receipt.success ? findMark(receipt.logs, escrowEvents[permission.kind], infoHash) : undefined
    // The amount is the first word of what each of these events says.
    if (log) return settled(receipt, log, decodeInteger(log.data) ?? 0n, receipt.fee)
  }
  const [last] = receipts.slice(-1)
  const dead = { status: 'dead', refusal: refuse(REVERTED) } as const
  // Only the operator can act: what we have nothing under way for did not happen, and what failed for good does not either.
  if (sent.length === 0) return dead
  const { final = 0n } = (await chain.head?.()) ?? {}
  if (last) {
    // The escrow numbers nothing: where its block is undone the same bytes may do it after all, and the same again would do it twice (EVM-CAPTURE-068).
    if (last.blockNumber > final) return { status: 'pending', alone: true }
    return reverted(last, REVERTED)
  }
  if (await areGone(chain, sent, final)) return dead
  const block = await chain.rpc.latestBlock()
  const state = await readState(chain.rpc, infoHash, block.number)
  const end = permission.kind === 'refund' ? info.refundExpiry : info.authorizationExpiry
  const isUntouched = permission.kind === 'void' ? state.capturable > 0n : isAsExpected(permission, state)
  // Past its end a capture or a refund reverts, and one that changed nothing did not land.
  const isOver = permission.kind !== 'void' && block.timestamp > end + expiryMarginSeconds
  return isOver && isUntouched
    ? { status: 'dead', refusal: refuse('payment_expired') }
    : { status: 'pending', alone: true }
}

/** Whether the escrow has what the authorizer expected. */
export function isAsExpected(permission: HoldAction['permission'], state: EscrowState): boolean {
  return permission.kind === 'void'
    ? true
    : permission.capturable === state.capturable && permission.refundable === state.refundable
}

const REVERTED: ErrorCode = 'invalid_auth_capture_evm_transaction_reverted'

// The hashes are those that `sign` gave out.
async function receiptsOf({ rpc }: EvmChain, sent: readonly SentTransaction[]): Promise<readonly Receipt[]> {
  const receipts = await Promise.all(sent.map(({ hash }) => rpc.receipt(hash as Hex)))
  return receipts.filter((receipt) => receipt !== undefined)
}

const findMark = (logs: readonly Log[], event: Hex, infoHash: Hex): Log | undefined =>
  logs.find(({ address, topics }) => address === AUTH_CAPTURE_ESCROW && topics[0] === event && topics[1] === infoHash)
