import { type Asset, formatUnits } from '@groat/core'
import type { Entry } from './entry.js'

/** The columns of an export, in their order. */
export const EXPORT_COLUMNS = [
  'time',
  'kind',
  'from',
  'to',
  'amount',
  'asset',
  'atomic_amount',
  'asset_address',
  'network',
  'transaction',
  'description',
  'resource',
  'route',
  'group',
  'scheme',
  'debit',
  'credit',
  'fiat_value',
  'fiat_currency',
  'payment',
  'id',
] as const

/** An entry as it leaves: text only, amounts exact. */
export type ExportedEntry = Readonly<Record<(typeof EXPORT_COLUMNS)[number], string>>

/**
 * An entry with the names and numbers that people read. Amount and ticker are empty for a token that is not known.
 *
 * @example
 * exportEntry(entry, ledger.asset(entry)).amount // '0.001'
 */
export function exportEntry(entry: Entry, asset: Asset | undefined): ExportedEntry {
  return {
    time: new Date(entry.at).toISOString(),
    kind: entry.kind,
    from: entry.from,
    to: entry.to,
    amount: asset === undefined ? '' : formatUnits(entry.amount, asset.decimals),
    asset: asset?.symbol ?? '',
    atomic_amount: entry.amount.toString(),
    asset_address: entry.asset,
    network: entry.network,
    transaction: entry.transaction,
    description: entry.description ?? '',
    resource: entry.resource,
    route: entry.route,
    group: entry.group ?? '',
    scheme: entry.scheme,
    debit: entry.debit,
    credit: entry.credit,
    fiat_value: entry.fiat?.value ?? '',
    fiat_currency: entry.fiat?.currency ?? '',
    payment: entry.pid,
    id: entry.id,
  }
}

/** The first line of a CSV. */
export const CSV_HEAD = `${EXPORT_COLUMNS.join(',')}\r\n`

/** One line of CSV (RFC 4180). What a spreadsheet would take for a formula is made text. */
export function csvLine(entry: ExportedEntry): string {
  return `${EXPORT_COLUMNS.map((column) => cell(entry[column])).join(',')}\r\n`
}

/** One line of JSON. */
export function jsonLine(entry: ExportedEntry): string {
  return `${JSON.stringify(entry)}\n`
}

function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
