import { type ChainOutcome, type ErrorCode, refuse, type SentTransaction } from '@groat/core'
import type { SvmChain } from '../chain.js'
import { lastBlockHeightOf } from '../lifetime.js'
import type { LandedTransaction, TransactionFault } from '../rpc.js'
import { formatAddress } from '../wire/address.js'
import { encodeBase58 } from '../wire/base58.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { programs } from '../wire/programs.js'
import type { ExactPayment } from './shared.js'

/**
 * What became of a payment (SVM-EXACT-063 to 068): settled when the recipient's balance grew by exactly the amount in a block that is sure enough,
 * dead when its transaction failed or when no block can take it any more, else still open. Nobody but the fee payer can hand it in,
 * so what was not sent from here is not on chain. Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * const outcome = await chainOutcome(chain, payment, sent)
 */
export async function chainOutcome(
  chain: SvmChain,
  payment: ExactPayment,
  sent: readonly SentTransaction[],
): Promise<ChainOutcome> {
  if (sent.length === 0) return { status: 'pending' }
  const { rpc } = chain
  // The end first: what a node says of a transaction counts only if it has seen everything up to there.
  const [finality, { slot, statuses }] = await Promise.all([rpc.finality(), rpc.statuses(sent.map(({ hash }) => hash))])
  for (const [at, status] of statuses.entries()) {
    const hash = sent[at]?.hash
    if (hash === undefined || status === undefined) continue
    const landed = status.sure ? await rpc.transaction(hash) : undefined
    return landed === undefined ? { status: 'pending' } : outcomeOf(payment, hash, landed)
  }
  const isOver = sent.every((each) => {
    const last = lastBlockHeightOf(each)
    return last !== undefined && finality.blockHeight > last
  })
  return isOver && slot >= finality.slot
    ? { status: 'dead', refusal: refuse('payment_expired') }
    : { status: 'pending' }
}

function outcomeOf(payment: ExactPayment, transaction: string, landed: LandedTransaction): ChainOutcome {
  if (landed.error !== undefined) return { status: 'dead', refusal: refuse(codeOf(landed.error)) }
  const { amount } = payment.terms
  const credit = creditOf(payment, landed)
  if (credit?.grown !== amount) {
    return { status: 'dead', refusal: refuse('invalid_exact_svm_balance_change_mismatch') }
  }
  return {
    status: 'settled',
    transaction,
    logIndex: credit.index,
    blockNumber: landed.slot,
    // The block that the message builds on: whichever fork has the transaction has it too.
    blockHash: encodeBase58(payment.transaction.message.blockhash),
    amount,
    fee: landed.fee,
  }
}

type Credit = { readonly index: number; readonly grown: bigint }

/** By how much the token account of the recipient grew; its place is what makes the proof this payment's. */
function creditOf(
  { transaction, terms, transfer }: ExactPayment,
  { loaded, before, after }: LandedTransaction,
): Credit | undefined {
  const { mint, payTo } = terms
  const accounts = [...transaction.message.keys.map(formatAddress), ...loaded]
  const candidates = transfer.ok
    ? [transfer.destination]
    : [programs.token, programs.token2022].map((program) => associatedTokenAccount(payTo, program, mint))
  for (const candidate of candidates) {
    const index = accounts.indexOf(formatAddress(candidate))
    const now = after.find((balance) => balance.index === index)
    if (now === undefined || now.mint !== formatAddress(mint)) continue
    // Some nodes do not say whose it is; that it is the recipient's was checked before.
    if (now.owner !== undefined && now.owner !== formatAddress(payTo)) continue
    const then = before.find((balance) => balance.index === index)
    return { index, grown: now.amount - (then?.amount ?? 0n) }
  }
  return undefined
}

/** A token program's reasons that people can do something about. */
function codeOf({ name, custom }: TransactionFault): ErrorCode {
  if (name === 'InstructionError' && custom === INSUFFICIENT_FUNDS) return 'invalid_exact_svm_insufficient_balance'
  return 'invalid_exact_svm_transaction_failed'
}

const INSUFFICIENT_FUNDS = 1
