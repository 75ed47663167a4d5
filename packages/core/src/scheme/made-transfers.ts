import { canonicalAddress, sameAddress } from '../model/address.js'
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
  /** The transaction of a transfer that pays an offer and was presented for nothing else; `undefined` when there is none. */
  find(offer: PaymentRequirements, purpose: string): Promise<string | undefined>
  /** Notes what a transaction is presented for. `false`: it was presented for something else meanwhile. */
  take(transaction: string, purpose: string): boolean
}

/** Seconds after its block for which a transfer can be presented. One number for all: who lengthened it would sell old transfers again. */
export const MAX_TRANSFER_AGE_SECONDS = 86_400

/**
 * Keeps account of what each of an account's transfers is presented for.
 *
 * @example
 * const made = createMadeTransfers([{ transaction, network: 'eip155:8453', asset, payTo, amount: 1000n }])
 * const transaction = await made.find(offer, resource)
 */
export function createMadeTransfers(transfers: TransferSource): MadeTransfers {
  const purposes = new Map<string, string>()
  const isFree = (transaction: string, purpose: string) => (purposes.get(transaction) ?? purpose) === purpose
  return {
    async find(offer, purpose) {
      const made = typeof transfers === 'function' ? await transfers() : transfers
      return made
        .filter((each) => pays(each, offer))
        .map(({ transaction }) => canonicalAddress(transaction))
        .find((transaction) => isFree(transaction, purpose))
    },
    take(transaction, purpose) {
      if (!isFree(transaction, purpose)) return false
      purposes.set(transaction, purpose)
      return true
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
