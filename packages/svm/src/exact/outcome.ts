import { type ChainOutcome, type ErrorCode, refuse, type SentTransaction, X402Error } from '@groat/core'
import type { SvmChain } from '../chain.js'
import { lifetimeOf } from '../lifetime.js'
import type { Finality, LandedTransaction, Statuses, TransactionFault } from '../rpc.js'
import { formatAddress } from '../wire/address.js'
import { encodeBase58 } from '../wire/base58.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { programs } from '../wire/programs.js'
import type { ExactPayment } from './shared.js'

/**
 * What became of a payment (SVM-EXACT-063 to 068): settled when the recipient's balance grew by exactly the amount in a block that is sure enough,
 * dead when its transaction failed or when no block can take it any more, else still open. Nobody but the fee payer can hand it in,
 * so what was not sent from here is not on chain. Throws `X402Error` `rpc_unreachable` and the like, also when its time is over and the node
 * lacks blocks in which it may have landed.
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
  const hashes = sent.map(({ hash }) => hash)
  // The end first: what a node says of a transaction counts only if it has seen everything up to there.
  const [finality, { slot, statuses }] = await Promise.all([chain.rpc.finality(), chain.rpc.statuses(hashes)])
  const seen = await seenIn(chain, payment, hashes, statuses)
  if (seen !== undefined) return seen
  const lifetimes = sent.map(lifetimeOf)
  const since: Finality[] = []
  for (const lifetime of lifetimes) {
    if (lifetime === undefined || finality.blockHeight <= lifetime.lastBlockHeight) return { status: 'pending' }
    since.push(lifetime.since)
  }
  if (slot < finality.slot) return { status: 'pending' }
  return buried(chain, payment, hashes, since, finality)
}

/** What those that are in a block came to. */
async function seenIn(
  { rpc }: SvmChain,
  payment: ExactPayment,
  hashes: readonly string[],
  statuses: Statuses['statuses'],
): Promise<ChainOutcome | undefined> {
  for (const [at, status] of statuses.entries()) {
    const hash = hashes[at]
    if (hash === undefined || status === undefined) continue
    const landed = status.sure ? await rpc.transaction(hash) : undefined
    return landed === undefined ? { status: 'pending' } : outcomeOf(payment, hash, landed)
  }
  return undefined
}

/**
 * Nothing can take it any more. That nothing did is known only from a node with every block from the signature on (SVM-EXACT-077): one that began
 * from a snapshot has fresh slots and no history.
 */
async function buried(
  chain: SvmChain,
  payment: ExactPayment,
  hashes: readonly string[],
  since: readonly Finality[],
  end: Finality,
): Promise<ChainOutcome> {
  const [first] = [...since].sort((a, b) => Number(a.slot - b.slot))
  if (first === undefined) return { status: 'pending' }
  // In one tick, so that the same node answers both.
  const [blocks, { statuses }] = await Promise.all([
    chain.rpc.finalBlocks(first.slot, end.slot),
    chain.rpc.statuses(hashes),
  ])
  if (BigInt(blocks) !== end.blockHeight - first.blockHeight + 1n) {
    throw new X402Error('rpc_invalid_answer', { reason: 'the node lacks blocks in which the payment may have landed' })
  }
  return (await seenIn(chain, payment, hashes, statuses)) ?? { status: 'dead', refusal: refuse('payment_expired') }
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
