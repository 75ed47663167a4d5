import { type ChainTransfer, canonicalAddress, sameAddress, type TransferReader } from '@groat/core'
import type { Entry } from './entry.js'

/** What the books and the chain say about one account and one asset. Atomic units. */
export type AccountSum = {
  readonly network: string
  readonly asset: string
  readonly account: string
  readonly ledger: bigint
  readonly chain: bigint
}

/** Where they differ. */
export type Difference = {
  readonly type: /** In the books, and not on chain. */
    | 'not_on_chain'
    /** In both, by another amount. */
    | 'other_amount'
    /** On chain, and not in the books. */
    | 'not_in_ledger'
    /** Nobody was asked: no reader for the network. */
    | 'not_checked'
  readonly network: string
  readonly asset: string
  readonly account: string
  readonly transaction: string
  readonly ledger?: bigint
  readonly chain?: bigint
}

/** The books beside the chain. `equal` only when they say the same to the atomic unit. */
export type Reconciliation = {
  readonly equal: boolean
  readonly entries: number
  readonly sums: readonly AccountSum[]
  readonly differences: readonly Difference[]
}

/**
 * Compares the books with the chain (INV-9): every payment and every refund that names a transaction must have its own transfer there, of that
 * amount, to that account; and whatever else came to an account of the seller since its first payment must be in the books. Vouchers that
 * are not cashed yet are no matter of the chain; what the contracts in `escrows` send to the seller is the cash for them, as long as it is not more than they
 * come to. Throws what the readers throw.
 *
 * @example
 * const { equal, differences } = await reconcile(ledger.entries(), [createEvmTransfers({ network, rpc })])
 */
export async function reconcile(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  readers: readonly TransferReader[],
  { escrows = [] }: ReconcileOptions = {},
): Promise<Reconciliation> {
  const accounts = new Map<string, AccountEntries>()
  const vouchers = new Map<string, bigint>()
  let count = 0
  for await (const entry of entries) {
    const own = entry.kind === 'payment'
    const name = [entry.network, canonicalAddress(entry.asset), canonicalAddress(entry.to), own].join(' ')
    if (own && entry.debit === 'receivable') vouchers.set(name, (vouchers.get(name) ?? 0n) + entry.amount)
    if (!isOnChain(entry)) continue
    count += 1
    const known = accounts.get(name) ?? { ...entry, own, entries: [] }
    known.entries.push(entry)
    accounts.set(name, known)
  }
  const compared = await Promise.all(
    [...accounts].map(([name, account]) => {
      const reader = readers.find(({ network }) => network === account.network)
      const cash = { escrows, vouchers: vouchers.get(name) ?? 0n }
      return reader === undefined ? unchecked(account) : compare(account, reader, cash)
    }),
  )
  const differences = compared.flatMap((each) => each.differences)
  return { equal: differences.length === 0, entries: count, sums: compared.map(({ sum }) => sum), differences }
}

/** What else explains money that came. */
export type ReconcileOptions = {
  /** Contracts that cash vouchers, such as the one of payment channels. */
  readonly escrows?: readonly string[]
}

/** Vouchers of one account that may be cashed, in atomic units, and who cashes them. */
type Cash = { readonly escrows: readonly string[]; readonly vouchers: bigint }

/** What is said to have come to one account. */
type AccountEntries = {
  readonly network: string
  readonly asset: string
  readonly to: string
  /** The seller's: what comes there besides is missed in the books. */
  readonly own: boolean
  readonly entries: Entry[]
}

type Compared = { readonly sum: AccountSum; readonly differences: readonly Difference[] }

function isOnChain({ kind, debit, transaction, amount }: Entry): boolean {
  return (kind === 'refund' || (kind === 'payment' && debit === 'wallet')) && transaction !== '' && amount > 0n
}

async function compare(account: AccountEntries, reader: TransferReader, cash: Cash): Promise<Compared> {
  const transfers = await transfersTo(account, reader)
  const left = new Map<string, ChainTransfer[]>()
  for (const transfer of transfers) {
    const name = canonicalAddress(transfer.transaction)
    left.set(name, [...(left.get(name) ?? []), transfer])
  }
  const { network, asset, to } = account
  const where = { network, asset, account: to }
  const differences: Difference[] = []
  let chain = 0n
  const odd: Entry[] = []
  for (const entry of account.entries) {
    const found = takeFrom(left.get(canonicalAddress(entry.transaction)), entry)
    if (found === undefined) odd.push(entry)
    else chain += found.amount
  }
  for (const { transaction, amount: ledger } of odd) {
    const other = left.get(canonicalAddress(transaction))?.shift()
    if (other === undefined) differences.push({ type: 'not_on_chain', ...where, transaction, ledger })
    else {
      chain += other.amount
      differences.push({ type: 'other_amount', ...where, transaction, ledger, chain: other.amount })
    }
  }
  let cashed = 0n
  for (const { transaction, amount, from } of account.own ? [...left.values()].flat() : []) {
    chain += amount
    const isCash = from !== undefined && cash.escrows.some((escrow) => sameAddress(escrow, from))
    if (isCash && cashed + amount <= cash.vouchers) cashed += amount
    else differences.push({ type: 'not_in_ledger', ...where, transaction, chain: amount })
  }
  return { sum: { ...where, ledger: sumOf(account.entries) + cashed, chain }, differences }
}

/** One transfer proves one entry: that of its payer before any other. */
function takeFrom(transfers: ChainTransfer[] | undefined, { from, amount }: Entry): ChainTransfer | undefined {
  const fits = transfers?.filter((transfer) => transfer.amount === amount) ?? []
  const best = fits.find((transfer) => transfer.from !== undefined && sameAddress(transfer.from, from)) ?? fits[0]
  if (transfers === undefined || best === undefined) return undefined
  transfers.splice(transfers.indexOf(best), 1)
  return best
}

async function transfersTo(
  { asset, to, own, entries }: AccountEntries,
  reader: TransferReader,
): Promise<readonly ChainTransfer[]> {
  const transactions = [...new Set(entries.map(({ transaction }) => transaction))]
  const all = (own ? await reader.received(asset, to, transactions) : undefined) ?? []
  const seen = new Set(all.map(({ transaction }) => canonicalAddress(transaction)))
  // What lies before the first that is known, or is no business of the account's own history.
  const more = transactions.filter((transaction) => !seen.has(canonicalAddress(transaction)))
  const found = await Promise.all(more.map((transaction) => reader.brought(transaction, asset, to)))
  return [...all, ...found.flat()]
}

function unchecked(account: AccountEntries): Compared {
  const { network, asset, to } = account
  const where = { network, asset, account: to }
  const differences = account.entries.map(
    ({ transaction, amount: ledger }): Difference => ({
      type: 'not_checked',
      ...where,
      transaction,
      ledger,
    }),
  )
  return { sum: { ...where, ledger: sumOf(account.entries), chain: 0n }, differences }
}

const sumOf = (entries: readonly Entry[]) => entries.reduce((sum, { amount }) => sum + amount, 0n)
