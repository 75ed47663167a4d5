import type { TransactionError } from '../vm/transaction-error.js'
import type { AccountState } from '../vm/vm.js'
import type { Address } from '../wire/address.js'
import type { Message, Transaction } from '../wire/transaction.js'
import type { Block } from './blocks.js'
import type { Keys } from './keys.js'
import type { LandedTransaction } from './ledger.js'
import type { Simulated } from './run.js'

/** The chain as it was at the end of a slot: what a node knows at a commitment. */
export interface View {
  readonly block: Block
  /** The same as `block.slot`. */
  readonly slot: number
  account(address: Address): AccountState | undefined
  programAccounts(program: Address): Array<readonly [Address, AccountState]>
  /** Blocks since this blockhash was the newest; undefined when it never was, or too long ago. */
  ageOf(blockhash: string): number | undefined
  /** The transaction with this id, if it had landed by then. */
  landed(id: string): LandedTransaction | undefined
  /** Why a message would not be run at all: its blockhash is older than `maxAge` blocks or none, or it has been run. */
  refusalOf(message: Message, maxAge: number): TransactionError | undefined
  /** Runs a transaction with these accounts, without keeping what it does. */
  simulate(transaction: Transaction, keys: Keys, verifySignatures: boolean): Simulated
}

/** A transaction may land in as many blocks after the one that its blockhash is of. */
export const blockhashLifetime = 150
