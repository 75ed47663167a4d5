import { lastReceipt, type PaymentOutcome, type Quote } from '@groat/client'
import { assetByAddress, decodeReceipt, formatUnits, type Receipt } from '@groat/core'

/** A quote that can be paid. */
export type Payable = Extract<Quote, { status: 'payable' }>

/**
 * What a seller asks for, as people say it: a price is a price, `upto` a ceiling, a channel has to be filled, and held money is not yet spent.
 *
 * @example
 * askedFor(quote) // 'up to 0.05 USDC'
 */
export function askedFor({ offer, amount, asset, preview }: Payable): string {
  const price = `${formatUnits(offer.amount, asset.decimals)} ${asset.symbol}`
  switch (offer.scheme) {
    case 'upto':
      return `up to ${price}`
    case 'batch-settlement':
      return preview.deposit === undefined
        ? `${price} out of a channel`
        : `${price} out of a channel, and ${formatUnits(amount, asset.decimals)} ${asset.symbol} to fill it`
    case 'auth-capture':
      return typeof preview.heldUntil === 'number'
        ? `to hold ${price} until ${new Date(preview.heldUntil * 1000).toISOString().slice(0, 16)}Z`
        : `to hold ${price}`
    default:
      return price
  }
}

/** Whose balances would change as a plain transfer changes them: what is held, or fills a channel, is the seller's only later. */
export function movesFor({ offer, preview, effect }: Payable): NonNullable<Payable['effect']>['changes'] {
  const changes = effect?.changes ?? []
  if (offer.scheme === 'batch-settlement' && preview.deposit === undefined) return []
  return offer.scheme === 'batch-settlement' || offer.scheme === 'auth-capture' ? changes.slice(0, 1) : changes
}

type Answered = Extract<PaymentOutcome, { status: 'settled' | 'disputed' }>

/** What was taken, in atomic units, where that is not what was signed, or not all of it. */
export function takenOf(
  { amount }: Pick<Answered['payment'], 'amount'>,
  receipt: Pick<Receipt, 'amount' | 'extra'>,
): bigint | undefined {
  const said = receipt.extra?.chargedAmount
  const counted = typeof said === 'string' && /^[0-9]{1,78}$/.test(said) ? BigInt(said) : receipt.amount
  return counted === amount ? undefined : counted
}

/** An amount of a payment's asset. */
export function tokensOf({ network, asset }: Pick<Answered['payment'], 'network' | 'asset'>, units: bigint): string {
  const known = assetByAddress(network, asset)
  return known === undefined ? `${units} of ${asset}` : `${formatUnits(units, known.decimals)} ${known.symbol}`
}

/** The receipt in the last event of a stream that is settled when it has ended. */
export function receiptOfStream(text: string): Receipt | undefined {
  const value = lastReceipt(text)
  const receipt =
    value === undefined ? undefined : decodeReceipt((name) => (name === 'PAYMENT-RESPONSE' ? value : null))
  return receipt?.ok && receipt.value.status === 'settled' ? receipt.value.receipt : undefined
}
