import { programs } from '../programs.js'
import type { AccountState } from '../vm/vm.js'
import type { Address } from '../wire/address.js'
import { decodeMint, decodeTokenAccount } from '../wire/token-layout.js'

/** What one account of a transaction held in tokens. */
export type TokenBalance = {
  readonly accountIndex: number
  readonly mint: Address
  readonly owner: Address
  readonly program: Address
  /** Atomic units. */
  readonly amount: bigint
  readonly decimals: number
}

/** The token balances among these accounts. `read` finds mints. */
export function tokenBalances(
  states: ReadonlyArray<AccountState | undefined>,
  read: (address: Address) => AccountState | undefined,
): TokenBalance[] {
  return states.flatMap((state, accountIndex) => {
    if (state === undefined || !isTokenProgram(state.owner)) return []
    const account = decodeTokenAccount(state.data)
    const mint = account && decodeMint(read(account.mint)?.data ?? new Uint8Array())
    if (!account || !mint) return []
    return {
      accountIndex,
      mint: account.mint,
      owner: account.owner,
      program: state.owner,
      amount: account.amount,
      decimals: mint.decimals,
    }
  })
}

/** Whether it is one of the two programs that keep tokens. */
export function isTokenProgram(address: Address): boolean {
  return address === programs.token || address === programs.token2022
}
