import { canonicalAddress, type PaymentRequirements, type Pid, type Receipt, sameAddress } from '@groat/core'

/**
 * Tells whether a receipt can be the settlement of these terms by this payer (SRV-011): the network and the amount that were asked
 * for, the payer that signed, and a transaction that can be looked up, unless there need be none. Members that a facilitator may leave out
 * are not missed.
 */
export function credible(receipt: Receipt, asked: PaymentRequirements, payer: string, offChain = false): boolean {
  return (
    receipt.network === asked.network &&
    (receipt.payer === '' || sameAddress(receipt.payer, payer)) &&
    (receipt.amount === undefined || receipt.amount === asked.amount) &&
    (TRANSACTION.test(receipt.transaction) || (receipt.transaction === '' && (offChain || asked.amount === 0n)))
  )
}

/**
 * What one delivery hangs on: the transaction, or one log of it where the facilitator settles several payments in one transaction and
 * says in `extra.logIndex` which log is this one's. Where there is no transaction it is the payment itself.
 */
export function evidenceOf({ network, transaction, extra }: Receipt, pid: Pid): string {
  if (transaction === '') return `${network} ${pid}`
  const logIndex = extra?.logIndex
  const where = typeof logIndex === 'number' ? `#${logIndex}` : ''
  return `${network} ${canonicalAddress(transaction)}${where}`
}

/** Hashes and signatures of every chain: no spaces, no controls, a sane length. */
const TRANSACTION = /^[!-~]{1,200}$/
