import type { Execution } from '../vm/vm.js'
import type { Address } from '../wire/address.js'
import type { Transaction } from '../wire/transaction.js'
import type { Keys } from './keys.js'
import type { Balances } from './run.js'

/** A transaction in a block, whether it succeeded or failed there, and what it did. */
export type LandedTransaction = {
  readonly transaction: Transaction
  readonly slot: number
  /** Its place in the block. */
  readonly index: number
  /** Seconds since 1970. */
  readonly time: number
  readonly keys: Keys
  readonly execution: Execution
  readonly fee: bigint
  readonly balances: Balances
}

/** Everything that ever landed. */
export interface Ledger {
  /** Oldest first. */
  readonly all: readonly LandedTransaction[]
  find(id: string): LandedTransaction | undefined
  /** What names an account, oldest first. */
  of(address: Address): readonly LandedTransaction[]
  /** The slot in which a message landed; a message lands once, whatever its signatures. */
  slotOf(messageHash: string): number | undefined
  countIn(slot: number): number
  add(landed: LandedTransaction): void
  mark(): () => void
}

/** A ledger with nothing in it. */
export function createLedger(): Ledger {
  let all: LandedTransaction[] = []
  let byId = new Map<string, LandedTransaction>()
  let byHash = new Map<string, number>()
  let byAddress = new Map<Address, LandedTransaction[]>()

  function add(landed: LandedTransaction): void {
    all.push(landed)
    byId.set(landed.transaction.id, landed)
    byHash.set(landed.transaction.message.hash, landed.slot)
    for (const address of landed.keys.all) {
      const list = byAddress.get(address)
      if (list) list.push(landed)
      else byAddress.set(address, [landed])
    }
  }

  return {
    get all() {
      return all
    },
    find: (id) => byId.get(id),
    of: (address) => byAddress.get(address) ?? [],
    slotOf: (hash) => byHash.get(hash),
    countIn(slot) {
      let count = 0
      while (all[all.length - 1 - count]?.slot === slot) count += 1
      return count
    },
    add,
    mark() {
      const before = all.length
      return () => {
        const kept = all.slice(0, before)
        all = []
        byId = new Map()
        byHash = new Map()
        byAddress = new Map()
        kept.forEach(add)
      }
    },
  }
}
