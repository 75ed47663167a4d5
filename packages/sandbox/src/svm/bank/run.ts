import { programs } from '../programs.js'
import type { TransactionError } from '../vm/transaction-error.js'
import type { AccountState, Execution, Simulation } from '../vm/vm.js'
import { type Address, formatAddress } from '../wire/address.js'
import type { Message } from '../wire/transaction.js'
import type { Keys } from './keys.js'
import { type TokenBalance, tokenBalances } from './token-balances.js'

/** Lamports and tokens of a transaction's accounts, before and after it. */
export type Balances = {
  readonly pre: readonly bigint[]
  readonly post: readonly bigint[]
  readonly preTokens: readonly TokenBalance[]
  readonly postTokens: readonly TokenBalance[]
}

/** What a transaction would do. Without `charged` it would not even cost its fee. */
export type Simulated = Simulation & {
  readonly charged?: { readonly fee: bigint; readonly balances: Balances } | undefined
  /** Bytes of all accounts that it loads. */
  readonly loadedBytes: number
}

/** Finds accounts by address. */
export type ReadAccount = (address: Address) => AccountState | undefined

type States = ReadonlyArray<AccountState | undefined>

/** Whether a transaction got as far as costing its fee. If not, it never appears in a block. */
export function isCharged({ error, logs }: Execution): boolean {
  if (error === undefined || logs.length > 0 || isLoadFailure(error)) return true
  return typeof error === 'object' && 'InstructionError' in error
}

/** Whether its programs could not be loaded: it costs its fee, which the runtime forgets to take. */
export function isLoadFailure(error: TransactionError | undefined): boolean {
  return (
    error === 'ProgramAccountNotFound' ||
    error === 'InvalidProgramForExecution' ||
    error === 'MaxLoadedAccountsDataSizeExceeded'
  )
}

/** A node tells a program that is not there from one that is none; the runtime does not. */
export function refined<T extends Execution>(execution: T, message: Message, read: ReadAccount): T {
  if (execution.error !== 'InvalidProgramForExecution') return execution
  const isMissing = message.instructions.some(
    ({ programIndex }) => read(message.staticKeys[programIndex] ?? '') === undefined,
  )
  return isMissing ? { ...execution, error: 'ProgramAccountNotFound' } : execution
}

/** The balances of accounts that were `before` and are `after`. */
export function balancesOf(before: States, after: States, read: ReadAccount): Balances {
  return {
    pre: before.map((state) => state?.lamports ?? 0n),
    post: after.map((state) => state?.lamports ?? 0n),
    preTokens: tokenBalances(before, read),
    postTokens: tokenBalances(after, read),
  }
}

/** The same accounts with a fee taken from the first. */
export function withoutFee([payer, ...others]: States, fee: bigint): States {
  return [payer && { ...payer, lamports: payer.lamports - fee }, ...others]
}

/** Whether nothing of an account has changed. */
export function isSame(a: AccountState | undefined, b: AccountState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.lamports === b.lamports && a.owner === b.owner && Buffer.compare(a.data, b.data) === 0
}

/** What a node counts as loaded: 64 bytes and the data for each account, the code of programs, 8,248 for each table. */
export function loadedBytesOf(message: Message, keys: Keys, read: ReadAccount): number {
  const sizes = keys.all.map((address) => {
    const state = read(address)
    if (state === undefined) return 0
    return 64 + state.data.length + programDataSize(state, read)
  })
  return sizes.reduce((total, size) => total + size, message.lookups.length * 8_248)
}

function programDataSize(state: AccountState, read: ReadAccount): number {
  if (state.owner !== programs.upgradeableLoader || !state.executable) return 0
  const code = read(formatAddress(state.data.subarray(4, 36)))
  return code === undefined ? 0 : 64 + code.data.length
}
