import type { LandedTransaction } from '../../bank/ledger.js'
import { parseMemo } from '../../parsed/instruction.js'
import { encodeMeta, encodeTransaction } from '../../parsed/transaction.js'
import { programs } from '../../programs.js'
import type { Methods } from '../method.js'
import { type Node, respond } from '../node.js'
import {
  addressAt,
  asSignature,
  type Config,
  choiceIn,
  commitmentIn,
  configAt,
  flagIn,
  integerIn,
  textAt,
  textIn,
  textsAt,
} from '../params.js'
import { invalidParams, RpcError } from '../rpc-error.js'

/** What became of transactions. */
export const historyMethods: Methods = {
  getSignatureStatuses: (params, node) => {
    const ids = textsAt(params, 0, 256).map(asSignature)
    const everything = flagIn(configAt(params, 1), 'searchTransactionHistory')
    const view = node.view('processed')
    const statuses = ids.map((id) => {
      const landed = view.landed(id)
      const isRecent = landed !== undefined && view.slot - landed.slot <= recentSlots
      return landed && (isRecent || everything) ? statusOf(landed, node) : null
    })
    return respond(view, statuses)
  },
  getTransaction: (params, node) => {
    const id = asSignature(textAt(params, 0))
    const config = typeof params[1] === 'string' ? { encoding: params[1] } : configAt(params, 1)
    const encoding = choiceIn(config, 'encoding', ['binary', 'base58', 'base64', 'json', 'jsonParsed']) ?? 'json'
    const landed = node.view(atLeastConfirmed(config)).landed(id)
    if (landed === undefined) return null
    const version = versionFor(landed, integerIn(config, 'maxSupportedTransactionVersion'))
    return {
      slot: landed.slot,
      transaction: encodeTransaction(landed.transaction, landed.keys, encoding),
      meta: encodeMeta(landed, encoding),
      version,
      blockTime: landed.time,
      transactionIndex: landed.index,
    }
  },
  getSignaturesForAddress: (params, node) => {
    const address = addressAt(params, 0)
    const config = configAt(params, 1)
    const limit = integerIn(config, 'limit') ?? mostSignatures
    if (limit === 0 || limit > mostSignatures) throw invalidParams(`Invalid limit; max ${mostSignatures}`)
    atLeastConfirmed(config)
    const view = node.viewFor(config)
    const newestFirst = node.bank
      .landedOf(address)
      .filter(({ slot }) => slot <= view.slot)
      .reverse()
    return between(newestFirst, textIn(config, 'before'), textIn(config, 'until'))
      .slice(0, limit)
      .map((landed) => ({
        signature: landed.transaction.id,
        slot: landed.slot,
        err: landed.execution.error ?? null,
        memo: memoOf(landed),
        blockTime: landed.time,
        confirmationStatus: landed.slot <= node.view('finalized').slot ? 'finalized' : 'confirmed',
        transactionIndex: landed.index,
      }))
  },
}

/** How sure a transaction is, and whether it failed. */
function statusOf({ slot, execution }: LandedTransaction, node: Node) {
  const err = execution.error ?? null
  const isFinal = slot <= node.view('finalized').slot
  const isConfirmed = slot <= node.view('confirmed').slot
  return {
    slot,
    confirmations: isFinal ? null : node.view('processed').slot - slot,
    status: err === null ? { Ok: null } : { Err: err },
    err,
    confirmationStatus: isFinal ? 'finalized' : isConfirmed ? 'confirmed' : 'processed',
  }
}

/** A client that does not say that it knows versions gets only legacy transactions, and no version with them. */
function versionFor({ transaction }: LandedTransaction, most: number | undefined) {
  const { version } = transaction.message
  if (version === 'legacy') return most === undefined ? undefined : version
  if (most !== undefined && version <= most) return version
  throw new RpcError(
    -32015,
    `Transaction version (${version}) is not supported by the requesting client. Please try the request again with the ` +
      `following configuration parameter: "maxSupportedTransactionVersion": ${version}`,
  )
}

function atLeastConfirmed(config: Config) {
  const commitment = commitmentIn(config)
  if (commitment === 'processed') throw invalidParams('Method does not support commitment below `confirmed`')
  return commitment
}

function between(newestFirst: readonly LandedTransaction[], before: string | undefined, until: string | undefined) {
  const placeOf = (id: string | undefined) =>
    id === undefined ? -1 : newestFirst.findIndex(({ transaction }) => transaction.id === asSignature(id))
  const end = placeOf(until)
  return newestFirst.slice(placeOf(before) + 1, end === -1 ? undefined : end)
}

function memoOf({ transaction, keys }: LandedTransaction): string | null {
  const memos = transaction.message.instructions.flatMap(({ programIndex, data }) => {
    const program = keys.all[programIndex]
    const text = program === programs.memo || program === programs.memoV1 ? parseMemo(data) : undefined
    return text === undefined ? [] : `[${data.length}] ${text}`
  })
  return memos.length === 0 ? null : memos.join('; ')
}

/** For so long a node knows a transaction without searching its history. */
const recentSlots = 300
const mostSignatures = 1_000
