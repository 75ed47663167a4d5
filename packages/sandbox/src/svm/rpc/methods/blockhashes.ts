import { computeBudgetOf, feeOf } from '../../bank/fee.js'
import type { LandedTransaction } from '../../bank/ledger.js'
import { blockhashLifetime, type View } from '../../bank/view.js'
import { decodeMessage, type Message } from '../../wire/transaction.js'
import type { Methods } from '../method.js'
import { respond } from '../node.js'
import { asAddress, configAt, textAt, textsAt } from '../params.js'
import { decodeWire, deserialized } from '../wire-text.js'

/** What a transaction needs to live, and what it costs. */
export const blockhashMethods: Methods = {
  getLatestBlockhash: (params, node) => {
    const view = node.viewFor(configAt(params, 0))
    return respond(view, latestBlockhash(view))
  },
  isBlockhashValid: (params, node) => {
    const blockhash = asAddress(textAt(params, 0))
    const view = node.viewFor(configAt(params, 1))
    return respond(view, isAlive(view, blockhash))
  },
  getFeeForMessage: (params, node) => {
    const message: Message = deserialized('VersionedMessage', () =>
      decodeMessage(decodeWire(textAt(params, 0), 'base64')),
    )
    const view = node.viewFor(configAt(params, 1))
    return respond(view, isAlive(view, message.blockhash) ? feeOf(message) : null)
  },
  getRecentPrioritizationFees: (params, node) => {
    const asked = params[0] === undefined ? [] : textsAt(params, 0, mostAccounts).map(asAddress)
    const { slot } = node.view('processed')
    const { landed } = node.bank
    const first = landed.findLastIndex((each) => each.slot <= slot - recentSlots) + 1
    const recent = landed.slice(first).filter(({ keys }) => asked.every((address) => keys.all.includes(address)))
    return Array.from({ length: recentSlots }, (_, i) => slot - recentSlots + 1 + i).map((each) => ({
      slot: each,
      prioritizationFee: leastPrice(recent.filter((transaction) => transaction.slot === each)),
    }))
  },
}

/** The newest blockhash, and the last block in which it can be used. */
export function latestBlockhash({ block }: View) {
  return { blockhash: block.blockhash, lastValidBlockHeight: block.height + blockhashLifetime }
}

function isAlive(view: View, blockhash: string): boolean {
  const age = view.ageOf(blockhash)
  return age !== undefined && age <= blockhashLifetime
}

function leastPrice(landed: readonly LandedTransaction[]): bigint {
  const prices = landed.map(({ transaction }) => computeBudgetOf(transaction.message).price)
  return prices.sort((a, b) => Number(a - b))[0] ?? 0n
}

const recentSlots = 150
const mostAccounts = 128
