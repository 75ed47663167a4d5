import { programs } from '../programs.js'
import { formatBase58 } from '../wire/base58.js'
import { createReader } from '../wire/reader.js'
import type { Message } from '../wire/transaction.js'
import type { AccountReader } from './keys.js'

/** Whether a message lives as long as a durable nonce does: it first advances an account that keeps its "blockhash". */
export function usesDurableNonce({ instructions, staticKeys, blockhash }: Message, reader: AccountReader): boolean {
  const first = instructions[0]
  if (first === undefined || staticKeys[first.programIndex] !== programs.system) return false
  if (first.data.length < 4 || createReader(first.data).u32() !== advanceNonce) return false
  const account = reader.account(staticKeys[first.accounts[0] ?? -1] ?? programs.system)
  if (account === undefined || account.owner !== programs.system || account.data.length !== nonceSize) return false
  const isInitialized = createReader(account.data.subarray(4)).u32() === 1
  return isInitialized && formatBase58(account.data.subarray(40, 72)) === blockhash
}

const advanceNonce = 4
const nonceSize = 80
