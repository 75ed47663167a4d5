import { canonicalAddress, type PaymentRequirements, type Receipt, sameAddress } from '@groat/core'

/**
 * Tells whether a receipt can be the settlement of this offer by this payer (SRV-011): the network and the amount that were asked
 * for, the payer that signed, and a transaction that can be looked up. Members that a facilitator may leave out are not missed.
 */
export function credible(receipt: Receipt, offer: PaymentRequirements, payer: string): boolean {
  return (
    receipt.network === offer.network &&
    (receipt.payer === '' || sameAddress(receipt.payer, payer)) &&
    (receipt.amount === undefined || receipt.amount === offer.amount) &&
    TRANSACTION.test(receipt.transaction)
  )
}

/**
 * What one delivery hangs on: the transaction, or one log of it where the facilitator settles several payments in one transaction and
 * says in `extra.logIndex` which log is this one's.
 */
export function evidenceOf({ network, transaction, extra }: Receipt): string {
  const logIndex = extra?.logIndex
  const where = typeof logIndex === 'number' ? `#${logIndex}` : ''
  return `${network} ${canonicalAddress(transaction)}${where}`
}

/** Hashes and signatures of every chain: no spaces, no controls, a sane length. */
const TRANSACTION = /^[!-~]{1,200}$/
