import type { LandedTransaction } from '../rpc.js'
import { formatAddress, type Key, parseAddress } from '../wire/address.js'
import { readU64, sameBytes } from '../wire/bytes.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { readTransferChecked } from '../wire/instructions.js'
import { tokenProgramName } from '../wire/token.js'
import { decodeTransaction, type Instruction } from '../wire/transaction.js'

/** A transfer that is looked for. */
export type WantedTransfer = {
  readonly mint: Key
  readonly from: Key
  readonly to: Key
  /** Atomic units. */
  readonly value: bigint
}

/**
 * The token account, by its place in the transaction, to which an ordinary transfer went: one instruction of a token program, by the sender's key, to the
 * recipient's associated token account, in a transaction of which the sender pays the fee, and which made that account grow by exactly the amount.
 * `undefined` for whatever else moved the money (SVM-PROOF-007): a facilitator pays for what it settles, so that is no proof.
 *
 * @example
 * findOrdinaryTransfer(landed, { mint, from, to, value: 1000n }) // 2
 */
export function findOrdinaryTransfer(landed: LandedTransaction, wanted: WantedTransfer): number | undefined {
  const transaction = landed.bytes && landed.error === undefined ? decodeTransaction(landed.bytes) : undefined
  if (transaction === undefined || typeof transaction === 'string') return undefined
  const { message } = transaction
  const keys = [...message.keys, ...landed.loaded.map(parseAddress)]
  const [feePayer] = keys
  if (feePayer === undefined || !sameBytes(feePayer, wanted.from)) return undefined
  const destinations = message.instructions.map((each) => destinationOf(each, keys, wanted))
  const index = destinations.find((each) => each !== undefined)
  return index !== undefined && growthOf(landed, index, wanted.mint) === wanted.value ? index : undefined
}

/** Where an instruction sends the money that is looked for. */
function destinationOf(
  { program, accounts, data }: Instruction,
  keys: readonly (Key | undefined)[],
  { mint, from, to, value }: WantedTransfer,
): number | undefined {
  const tokenProgram = keys[program]
  if (tokenProgram === undefined || tokenProgramName(tokenProgram) === undefined) return undefined
  const checked = readTransferChecked(data)
  const amount = checked?.amount ?? readTransfer(data)
  const [, second, third, fourth] = accounts
  const [destination, authority] = checked ? [third, fourth] : [second, third]
  if (amount !== value || destination === undefined || authority === undefined) return undefined
  const isTheirs = isKey(keys[authority], from)
  return isTheirs && isKey(keys[destination], associatedTokenAccount(to, tokenProgram, mint)) ? destination : undefined
}

/** The amount of a `Transfer`, which names no mint: the account that grows does. */
function readTransfer(data: Uint8Array): bigint | undefined {
  return data.length === 9 && data[0] === TRANSFER ? readU64(data, 1) : undefined
}

const TRANSFER = 3

const isKey = (key: Key | undefined, wanted: Key): boolean => key !== undefined && sameBytes(key, wanted)

/** By how much a token account of a mint grew. */
function growthOf({ before, after }: LandedTransaction, index: number, mint: Key): bigint | undefined {
  const now = after.find((balance) => balance.index === index)
  if (now?.mint !== formatAddress(mint)) return undefined
  return now.amount - (before.find((balance) => balance.index === index)?.amount ?? 0n)
}
