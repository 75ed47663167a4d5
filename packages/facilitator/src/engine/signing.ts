import { type SentTransaction, type SignedTransaction, sameAddress, X402Error } from '@groat/core'
import type { SettlementRecord } from '../journal/record.js'
import type { LaneOptions } from './lane.js'

/** What is signed besides the call. */
export type SignAs = {
  readonly nonce: bigint | undefined
  /** What it has to outbid. */
  readonly outbids?: readonly SignedTransaction[]
  /** The payments in it: it may cost what each is worth it. None: it costs what is left of the hour at the most. */
  readonly records: readonly SettlementRecord[]
}

/** Signs for a lane; writes nothing down and sends nothing. */
export type Sign = (call: unknown, as: SignAs) => Promise<SignedTransaction>

/**
 * Makes the pen of a lane.
 *
 * @example
 * const sign = createSigning({ chain, signer, budget, shortage, maxCost })
 * const transaction = await sign(call, { nonce: 7n, records: [record] })
 */
export function createSigning({
  chain,
  signer,
  budget,
  shortage,
  maxCost,
}: Pick<LaneOptions, 'chain' | 'signer' | 'budget' | 'shortage' | 'maxCost'>): Sign {
  /** What a transaction for these payments may cost: what each is worth it, within what is left of the hour. */
  function mostFor(records: SignAs['records'], left: bigint | undefined): bigint | undefined {
    let most: bigint | undefined = 0n
    for (const record of records) {
      const each = maxCost(record)
      most = each === undefined || most === undefined ? undefined : most + each
    }
    if (records.length === 0) most = undefined
    if (most === undefined) return left
    return left === undefined || most < left ? most : left
  }

  return async (call, as) => {
    const { nonce, outbids = [], records } = as
    let hour: bigint | undefined
    const signWithin = (left: bigint | undefined) => {
      hour = left
      const most = mostFor(records, left)
      return chain.sign(call, {
        signer,
        ...(nonce === undefined ? {} : { nonce }),
        ...(outbids.length === 0 ? {} : { outbids }),
        ...(most === undefined ? {} : { maxCost: most }),
      })
    }
    const transaction = await budget.within(signWithin, outbids[0]).catch((error) => {
      if (hour === undefined || !X402Error.is(error) || error.code !== 'fee_above_limit') throw error
      // Of several nobody knows what one costs.
      shortage.notice(records.length === 1 ? call : undefined)
      const own = mostFor(records, undefined)
      if (own !== undefined && own <= hour) throw error
      throw new X402Error(error.code, { ...error.context, [LEFT]: hour }, { cause: error })
    })
    // Another like this does not fit.
    if (hour !== undefined && hour < 2n * (transaction.maxCost ?? 0n)) shortage.notice()
    if (!sameAddress(transaction.signer, signer) || transaction.nonce !== nonce) {
      throw new TypeError('The chain driver signed something else than it was asked to')
    }
    return records.length === 0 ? { ...transaction, details: { ...transaction.details, idle: true } } : transaction
  }
}

/** Names, in the context of an error, what the hour had left where that was too little. */
const LEFT = 'leftOfHour'

/**
 * Whether something was not signed because the hour has too little left for it.
 *
 * @example
 * if (isShortOfHour(error)) signForFewer()
 */
export function isShortOfHour(error: unknown): boolean {
  return X402Error.is(error) && error.code === 'fee_above_limit' && error.context[LEFT] !== undefined
}

/**
 * Whether a transaction was signed for no payment, and only uses up its nonce: what becomes of it says nothing of payments that travelled under the same one.
 *
 * @example
 * const sent = attempts.filter(({ transaction }) => !isIdle(transaction))
 */
export function isIdle({ details }: SentTransaction): boolean {
  return details?.idle === true
}
