import type { Pid } from '@groat/core'
import type { Sale } from './sale.js'

/** What an entry is about. */
export type EntryKind = 'payment' | 'fee' | 'usage' | 'refund' | 'hold'

/**
 * An account of the books. `wallet`: money on chain; `receivable`: vouchers that are not cashed yet; `escrow`: money that is held, and
 * `unearned`, what may be earned of it; `prepaid`: uses that are owed;
 * `revenue`: what was earned; `fees`: what settling costs, and `payable`, to whom it is owed; `refunds`: what was given back.
 */
export type Account =
  | 'wallet'
  | 'receivable'
  | 'escrow'
  | 'unearned'
  | 'prepaid'
  | 'revenue'
  | 'fees'
  | 'payable'
  | 'refunds'

/**
 * One entry of the books: it debits one account and credits another by the same amount of the same asset, so no entry can be out of balance,
 * and neither can any sum of them (SRV-060).
 */
export type Entry = {
  /** The same for the same fact, so that none is written twice. */
  readonly id: string
  readonly kind: EntryKind
  readonly pid: Pid
  /** Milliseconds since 1970. */
  readonly at: number
  readonly debit: Account
  readonly credit: Account
  readonly network: string
  readonly asset: string
  /** Atomic units, never below nothing. */
  readonly amount: bigint
  /** Whose money, and whose it became. */
  readonly from: string
  readonly to: string
  /** Empty where there is none. */
  readonly transaction: string
  readonly resource: string
  readonly route: string
  readonly scheme: string
  readonly group?: string
  readonly description?: string
  readonly uses?: number
  /** What it was worth at the time, in a currency of states: exact decimal text. */
  readonly fiat?: { readonly currency: string; readonly value: string }
}

/** What the books say of a settled payment: the money, what it costs to settle, and the first use of several. */
export function saleEntries(sale: Sale, transaction: string, fee: bigint): readonly Entry[] {
  const { pid, at, uses, amount, offChain = false } = sale
  const paid: Entry = {
    ...common(sale),
    id: `payment:${pid}`,
    kind: 'payment',
    at,
    debit: offChain ? 'receivable' : 'wallet',
    credit: uses === undefined ? 'revenue' : 'prepaid',
    amount,
    from: sale.payer,
    to: sale.payTo,
    transaction,
  }
  const cost: Entry = {
    ...paid,
    id: `fee:${pid}`,
    kind: 'fee',
    debit: 'fees',
    credit: 'payable',
    amount: fee,
    to: '',
    from: sale.payTo,
  }
  if (sale.held === true) {
    return [heldEntry(paid), ...(fee > 0n ? [cost] : [])]
  }
  return [
    paid,
    ...(fee > 0n ? [cost] : []),
    ...(uses === undefined ? [] : [useEntry(paid, { id: `usage:${pid}`, at, nth: 1 })]),
  ]
}

/** Money that is held is nobody's revenue: of what kind it is is said by its name, so that nothing takes it for a payment (SRV-063). */
const heldEntry = (paid: Entry): Entry => ({
  ...paid,
  id: `hold:${paid.pid}`,
  kind: 'hold',
  debit: 'escrow',
  credit: 'unearned',
})

/** What was done with money that is held. Amounts in atomic units. */
export type HoldMove = {
  readonly pid: Pid
  /** `void`: it is the payer's again, by whomever's will. */
  readonly kind: 'capture' | 'void' | 'refund'
  readonly amount: bigint
  /** What of a capture is somebody else's. */
  readonly fee?: bigint
  /** Empty where it is not known. */
  readonly transaction: string
}

/** What the books say of it: what is captured is earned, less the fee; what is let go is nobody's affair any more; what is given back the operator has paid. */
export function holdEntries(
  hold: Entry,
  { kind, amount, fee = 0n, transaction }: HoldMove,
  at: number,
): readonly Entry[] {
  const { pid, from, to } = hold
  const about = { ...unvalued(hold), at, transaction, amount }
  const name = (of: string) => `${of}:${pid}:${transaction || kind}`
  if (kind === 'refund') {
    const back = { kind: 'refund', debit: 'refunds', credit: 'payable', from: to, to: from } as const
    return [{ ...about, ...back, id: name('refund') }]
  }
  const released: Entry = { ...about, id: name('hold'), debit: 'unearned', credit: 'escrow' }
  if (kind === 'void') return [released]
  const earned = { ...about, kind: 'payment', debit: 'wallet', credit: 'revenue', amount: amount - fee } as const
  const cost = { ...about, kind: 'fee', debit: 'fees', credit: 'revenue', amount: fee, from: to, to: '' } as const
  return [released, { ...earned, id: name('payment') }, ...(fee > 0n ? [{ ...cost, id: name('fee') }] : [])]
}

/** Which use of several, and of what. */
export type Use = {
  readonly id: string
  readonly at: number
  /** From 1; in the order in which they were taken. */
  readonly nth: number
  readonly route?: string
  readonly resource?: string
  /** It was given back: nothing was delivered. */
  readonly back?: boolean
}

/** What a use earns: a share of what was paid, so that all of them together earn exactly that. Nothing of a pass, which was earned when sold. */
export function useEntry(
  paid: Entry,
  { id, at, nth, back = false, route = paid.route, resource = paid.resource }: Use,
): Entry {
  const { uses } = paid
  const amount = uses === undefined ? 0n : share(paid.amount, nth, uses)
  const sides = { debit: 'prepaid', credit: 'revenue' } as const
  return {
    ...unvalued(paid),
    id,
    kind: 'usage',
    at,
    ...(back ? { debit: sides.credit, credit: sides.debit } : sides),
    amount,
    route,
    resource,
  }
}

/** An entry without its worth: one of another amount, or of another time, is valued by itself. */
function unvalued({ fiat: _, ...entry }: Entry): Entry {
  return entry
}

/** The nth of so many shares, in whole atomic units; they add up to the amount. */
export function share(amount: bigint, nth: number, of: number): bigint {
  const until = (n: number) => (amount * BigInt(n)) / BigInt(of)
  return until(nth) - until(nth - 1)
}

/** What is left over of a sale for its entries. */
function common({ pid, network, asset, resource, route, scheme, group, description, uses }: Sale) {
  return {
    pid,
    network,
    asset,
    resource,
    route,
    scheme,
    ...(group === undefined ? {} : { group }),
    ...(description === undefined ? {} : { description }),
    ...(uses === undefined ? {} : { uses }),
  }
}

/** What money did by an account: what it was debited less what it was credited, by asset. */
export function balances(entries: Iterable<Entry>): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>()
  const add = (account: Account, { network, asset }: Entry, amount: bigint): void => {
    const name = `${account} ${network} ${asset}`
    sums.set(name, (sums.get(name) ?? 0n) + amount)
  }
  for (const entry of entries) {
    add(entry.debit, entry, entry.amount)
    add(entry.credit, entry, -entry.amount)
  }
  return sums
}
