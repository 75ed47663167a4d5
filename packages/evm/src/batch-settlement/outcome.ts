import { type ChainOutcome, type ErrorCode, refuse, type SentTransaction, X402Error } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { Address } from '../address.js'
import type { EvmChain } from '../chain.js'
import { reverted } from '../exact/outcome.js'
import { AUTHORIZATION_CANCELED, AUTHORIZATION_USED, encodeAuthorizationState, topicOf } from '../exact/token.js'
import type { Hex } from '../hex.js'
import { isNonceUsed } from '../permit2/diagnosis.js'
import type { Log, Receipt } from '../rpc.js'
import type { BatchAction } from './action.js'
import { readClaimed, readRefundNonce } from './contract.js'
import { depositNonce, type Eip3009Deposit } from './deposit.js'
import { BATCH_SETTLEMENT } from './identity.js'

/** How far the chain is searched, and when an end counts as passed. */
export type BatchOutcomeOptions = {
  /** Blocks in which a deposit that somebody else handed in is looked for. */
  readonly lookbackBlocks: bigint
  /** Seconds by which a block's clock must have passed a deposit's end before it counts as dead. */
  readonly expiryMarginSeconds: bigint
}

/**
 * What became of something that had to be put on chain: done by a transaction of ours, or, for a deposit, by anybody's who handed it in; failed,
 * dead, or still open (EVM-BATCH-062, EVM-BATCH-063). Done is said only of the contract's own logs, and dead only of what can land no more.
 * Throws `X402Error` `rpc_unreachable` and the like, and `rpc_invalid_answer` for a transaction whose number is used up and whose receipt nobody shows.
 *
 * @example
 * const outcome = await batchOutcome(chain, action, sent, { lookbackBlocks: 10_000n, expiryMarginSeconds: 30n })
 */
export async function batchOutcome(
  chain: EvmChain,
  action: BatchAction,
  sent: readonly SentTransaction[],
  options: BatchOutcomeOptions,
): Promise<ChainOutcome> {
  // The hashes are those that `sign` gave out.
  const receipts = await Promise.all(sent.map(({ hash }) => chain.rpc.receipt(hash as Hex)))
  const included = receipts.filter((receipt) => receipt !== undefined)
  for (const receipt of included) {
    const done = doneIn(receipt, action)
    if (done !== undefined) return { ...done, fee: receipt.fee }
  }
  if (action.deposit !== undefined) return ofDeposit(chain, action, action.deposit, sent, included, options)
  return failedIn(included, failed[action.kind]) ?? (await ofWish(chain, action, sent))
}

type TokenDeposit = NonNullable<BatchAction['deposit']>

/** What a failed transaction is called. */
export const failed = {
  deposit: 'invalid_batch_settlement_evm_deposit_transaction_failed',
  claim: 'invalid_batch_settlement_evm_claim_transaction_failed',
  settle: 'invalid_batch_settlement_evm_settle_transaction_failed',
  refund: 'invalid_batch_settlement_evm_refund_transaction_failed',
} as const satisfies Record<BatchAction['kind'], ErrorCode>

/** A deposit has an end, and a number of its own that tells whether it was used. */
async function ofDeposit(
  chain: EvmChain,
  action: BatchAction,
  deposit: TokenDeposit,
  sent: readonly SentTransaction[],
  included: readonly Receipt[],
  { lookbackBlocks, expiryMarginSeconds }: BatchOutcomeOptions,
): Promise<ChainOutcome> {
  const [block, answer] = await Promise.all([chain.rpc.latestBlock(), isUsed(chain, action, deposit)])
  // What nothing was sent for, and the token could not have taken, nobody has taken.
  if (answer === undefined && sent.length === 0) return { status: 'pending' }
  const used = answer !== false
  const end = deposit.method === 'eip3009' ? deposit.validBefore : deposit.deadline
  const isOver = block.timestamp > end + expiryMarginSeconds
  if (used) {
    const fromBlock = block.number > lookbackBlocks ? block.number - lookbackBlocks : 0n
    const foreign = await findForeign(chain, action, deposit, sent, fromBlock)
    // Where the block of a cancellation is undone the deposit is good again, as long as its time lasts (EVM-BATCH-066).
    if (foreign !== undefined) return foreign.status === 'dead' && !isOver ? { status: 'pending' } : foreign
  }
  const reverted = failedIn(included, failed.deposit)
  if (reverted !== undefined) return reverted
  // A node that has the state and not yet the logs is common, a moment after a transaction of ours.
  if (!isOver && (!used || sent.length > 0)) return { status: 'pending' }
  // In this very block: what answers for the newest one may be behind it.
  if (used || (await isUsed(chain, action, deposit, block.number)) !== false) {
    throw new X402Error('rpc_invalid_answer', { reason: 'the deposit is used, and no log or receipt says by what' })
  }
  return { status: 'dead', refusal: refuse('payment_expired') }
}

/** What a seller wishes has no end: it is open as long as a transaction for it can land. */
async function ofWish({ rpc }: EvmChain, action: BatchAction, sent: readonly SentTransaction[]): Promise<ChainOutcome> {
  const dead = { status: 'dead', refusal: refuse(failed[action.kind]) } as const
  if (sent.length === 0) return dead
  // The signers are accounts of the chain.
  const mined = await Promise.all(sent.map(({ signer }) => rpc.minedNonce(signer.toLowerCase() as Address)))
  if (sent.some(({ nonce }, i) => nonce === undefined || nonce >= (mined[i] ?? 0n))) return { status: 'pending' }
  const { number } = await rpc.latestBlock()
  const undone =
    action.kind === 'claim'
      ? await isUnclaimed(rpc, action, number)
      : action.kind === 'refund' &&
        (await readRefundNonce(rpc, action.channelId ?? '0x', number)) <= (action.refundNonce ?? 0n)
  if (undone) return dead
  throw new X402Error('rpc_invalid_answer', { reason: 'the number of a transaction is used, and it has no receipt' })
}

const NONE: ReadonlyMap<Hex, bigint> = new Map()

/** A claim does all of its rows or none. */
async function isUnclaimed(rpc: EvmChain['rpc'], { claims = NONE }: BatchAction, block?: bigint): Promise<boolean> {
  const totals = await readClaimed(rpc, [...claims.keys()], block)
  return [...claims.values()].some((total, i) => total > (totals[i] ?? total))
}

/** Whether a claim brings anything that is not claimed yet. Throws `X402Error` `rpc_unreachable` and the like. */
export const bringsNew = (chain: EvmChain, action: BatchAction): Promise<boolean> => isUnclaimed(chain.rpc, action)

function failedIn(included: readonly Receipt[], code: ErrorCode): ChainOutcome | undefined {
  const [last] = included.slice(-1)
  return last && reverted(last, code)
}

type Done = Extract<ChainOutcome, { status: 'settled' }>

/** Done by this transaction: the contract says so of everything that the action is about. */
function doneIn({ success, logs, ...receipt }: Receipt, { mark, deposit }: BatchAction): Done | undefined {
  if (!success) return undefined
  const { transactionHash: transaction, blockNumber, blockHash } = receipt
  const marks = logs.filter((log) => isMark(log, mark) && (deposit === undefined || amountOf(log) === deposit.amount))
  const [first] = marks
  if (first === undefined) return undefined
  // A deposit is one; claims of several channels are one sum.
  const amount = deposit?.amount ?? marks.reduce((sum, log) => sum + amountOf(log), 0n)
  return { status: 'settled', transaction, logIndex: first.logIndex, blockNumber, blockHash, amount }
}

const isMark = ({ address, topics }: Log, { event, subjects }: BatchAction['mark']): boolean =>
  address === BATCH_SETTLEMENT && topics[0] === event && subjects.some((subject) => subject === topics[1])

const amountOf = ({ data }: Log): bigint => decodeInteger(data) ?? 0n

/** Whether the number of a deposit is used up, by a transfer or because the payer took it back; `undefined` of a token that knows no such numbers. */
export async function isUsed(
  chain: EvmChain,
  action: BatchAction,
  deposit: TokenDeposit,
  block?: bigint,
): Promise<boolean | undefined> {
  const { rpc } = chain
  if (deposit.method === 'permit2') return isNonceUsed(rpc, action.payer, deposit.nonce, block)
  const nonce = tokenNonce(chain, action, deposit)
  const state = await rpc.call(
    { to: deposit.token, data: encodeAuthorizationState({ from: action.payer, nonce }) },
    block,
  )
  return state.ok ? decodeInteger(state.data) !== 0n : undefined
}

const tokenNonce = ({ engine }: EvmChain, { channelId = '0x' }: BatchAction, { salt }: Eip3009Deposit): Hex =>
  depositNonce(engine, channelId, salt)

/** The number is gone, and not by a receipt that we hold: anybody may hand a deposit in, and it fills the channel all the same. */
async function findForeign(
  chain: EvmChain,
  action: BatchAction,
  deposit: TokenDeposit,
  sent: readonly SentTransaction[],
  fromBlock: bigint,
): Promise<ChainOutcome | undefined> {
  const { rpc } = chain
  if (deposit.method === 'permit2') {
    const foreign = await findCall(chain, action, fromBlock)
    // Permit2 leaves no mark of a use. While a transaction of ours is unaccounted for, it may be that one.
    return foreign ?? (sent.length === 0 ? { status: 'dead', refusal: refuse('permit2_invalid_nonce') } : undefined)
  }
  const nonce = tokenNonce(chain, action, deposit)
  const marks = [AUTHORIZATION_USED, AUTHORIZATION_CANCELED]
  const topics = [marks, topicOf(action.payer), nonce]
  const [mark] = await rpc.logs({ address: deposit.token, topics, fromBlock })
  if (mark === undefined) return undefined
  if (mark.topics[0] === AUTHORIZATION_USED) {
    const receipt = await rpc.receipt(mark.transactionHash)
    // The block was dropped between the two questions, or the node has yet to catch up with itself.
    if (receipt === undefined) return undefined
    const done = doneIn(receipt, action)
    if (done) return sent.some(({ hash }) => hash === receipt.transactionHash) ? { ...done, fee: receipt.fee } : done
  }
  return { status: 'dead', refusal: refuse('invalid_exact_evm_nonce_already_used') }
}

/** The newest deposit of this channel that was made by the very same call. */
async function findCall({ rpc }: EvmChain, action: BatchAction, fromBlock: bigint): Promise<ChainOutcome | undefined> {
  const { event, subjects } = action.mark
  const logs = await rpc.logs({ address: BATCH_SETTLEMENT, topics: [event, subjects], fromBlock })
  for (const { transactionHash } of logs.slice(-MAX_CANDIDATES).reverse()) {
    const [transaction, receipt] = await Promise.all([rpc.transaction(transactionHash), rpc.receipt(transactionHash)])
    if (transaction?.to !== BATCH_SETTLEMENT || transaction.data !== action.call.data) continue
    return receipt === undefined ? { status: 'pending' } : doneIn(receipt, action)
  }
  return undefined
}

/** Deposits of somebody else's that are looked into, the newest first. */
const MAX_CANDIDATES = 16
