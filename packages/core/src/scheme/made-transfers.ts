import { canonicalAddress, sameAddress } from '../model/address.js'
import type { Pid } from '../model/identity.js'
import type { PaymentRequirements } from '../model/payment.js'

/** A transfer that an account has made, as one sends money to anybody. */
export type MadeTransfer = {
  /** Hash or signature of the transaction. */
  readonly transaction: string
  /** CAIP-2. */
  readonly network: string
  readonly asset: string
  readonly payTo: string
  /** Atomic units. */
  readonly amount: bigint
}

/** Transfers, or where they are had from: asked for each offer. */
export type TransferSource =
  | readonly MadeTransfer[]
  | (() => readonly MadeTransfer[] | Promise<readonly MadeTransfer[]>)

/** Transfers that can be presented, each for one purpose. */
export interface MadeTransfers {
  /** The transaction of a transfer that pays an offer and can be presented for this; `undefined` when there is none. `now`: seconds. */
  find(offer: PaymentRequirements, purpose: string, now: number): Promise<string | undefined>
  /** Notes what a transaction is presented for. `false`: it is presented meanwhile. */
  take(transaction: string, presented: Presented, now: number): boolean
  /** A payment was settled: its transfer is used up. */
  settled(pid: Pid): void
}

/** What a transfer is presented for: it can be presented for that again once the word on it has expired, and for nothing else. */
export type Presented = {
  readonly pid: Pid
  readonly purpose: string
  /** Seconds since 1970. */
  readonly until: number
}

/** Seconds after its block for which a transfer can be presented. One number for all: who lengthened it would sell old transfers again. */
export const MAX_TRANSFER_AGE_SECONDS = 86_400

/**
 * Keeps account of what each of an account's transfers is presented for.
 *
 * @example
 * const made = createMadeTransfers([{ transaction, network: 'eip155:8453', asset, payTo, amount: 1000n }])
 * const transaction = await made.find(offer, resource, Date.now() / 1000)
 */
export function createMadeTransfers(transfers: TransferSource): MadeTransfers {
  const presented = new Map<string, Presented>()
  // Who buys the same thing twice has made two transfers.
  const isFree = (transaction: string, purpose: string, now: number): boolean => {
    const before = presented.get(transaction)
    return before === undefined || (before.purpose === purpose && before.until <= now)
  }
  return {
    async find(offer, purpose, now) {
      const made = typeof transfers === 'function' ? await transfers() : transfers
      return made
        .filter((each) => pays(each, offer))
        .map(({ transaction }) => canonicalAddress(transaction))
        .find((transaction) => isFree(transaction, purpose, now))
    },
    take(transaction, wanted, now) {
      if (!isFree(transaction, wanted.purpose, now)) return false
      presented.set(transaction, wanted)
      return true
    },
    settled(pid) {
      for (const [transaction, before] of presented)
        if (before.pid === pid) presented.set(transaction, { ...before, until: Number.POSITIVE_INFINITY })
    },
  }
}

function pays(made: MadeTransfer, { network, asset, payTo, amount }: PaymentRequirements): boolean {
  return (
    made.network === network &&
    made.amount === amount &&
    sameAddress(made.asset, asset) &&
    sameAddress(made.payTo, payTo)
  )
}
