import type { AccountState } from '../vm/vm.js'
import type { Address } from '../wire/address.js'
import { keptBlocks } from './blocks.js'

/** What an account was from a slot on; undefined: it did not exist. */
export type Version = { readonly slot: number; readonly state: AccountState | undefined }

/** How accounts changed in the last slots, so that the past can be read. Accounts that never changed are not in it. */
export interface Versions {
  /** What the account was at the end of a slot; undefined when it has not changed since, or never. */
  at(address: Address, slot: number): Version | undefined
  addresses(): Iterable<Address>
  /** Notes that a slot changed an account from `before` to `after`. */
  note(address: Address, slot: number, before: AccountState | undefined, after: AccountState | undefined): void
  /** Replaces the past of an account: it always was this. */
  rewrite(address: Address, state: AccountState | undefined): void
  mark(): () => void
}

/** No changes yet. */
export function createVersions(): Versions {
  let chains = new Map<Address, readonly Version[]>()
  return {
    at: (address, slot) => chains.get(address)?.findLast((version) => version.slot <= slot),
    addresses: () => chains.keys(),
    note(address, slot, before, after) {
      const earlier = (chains.get(address) ?? [{ slot: 0, state: before }]).filter((version) => version.slot !== slot)
      const needed = earlier.findLastIndex((version) => version.slot <= slot - keptBlocks)
      chains.set(address, [...earlier.slice(Math.max(0, needed)), { slot, state: after }])
    },
    rewrite(address, state) {
      chains.set(address, [{ slot: 0, state }])
    },
    mark() {
      const before = new Map(chains)
      return () => {
        chains = new Map(before)
      }
    },
  }
}
