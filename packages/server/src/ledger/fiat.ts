import { type Asset, type Network, parseUnits, X402Error } from '@groat/core'
import type { Store } from '@groat/store'
import { type EntryRow, entryOf, type LedgerTables } from './tables.js'

/** Who knows what a token was worth. */
export interface RateProvider {
  /**
   * What one whole token was worth at a time (milliseconds since 1970), as exact decimal text; `undefined` when it does not know, or not
   * yet. What it throws counts as not yet.
   */
  rate(question: { readonly asset: Asset; readonly currency: string; readonly at: number }): Promise<string | undefined>
}

/**
 * Rates that do not move, by ticker: for tokens that are worth what their name says.
 * Throws `X402Error` `invalid_config` for a rate that is no decimal number.
 *
 * @example
 * fixedRates({ USDC: '1', EURC: '1.08' })
 */
export function fixedRates(rates: Readonly<Record<string, string>>): RateProvider {
  for (const [ticker, rate] of Object.entries(rates)) {
    if (!RATE.test(rate))
      throw new X402Error('invalid_config', { field: 'rates', ticker, reason: 'not a decimal number' })
  }
  return { rate: async ({ asset }) => (Object.hasOwn(rates, asset.symbol) ? rates[asset.symbol] : undefined) }
}

const RATE = /^[0-9]{1,20}(\.[0-9]{1,18})?$/

/** How many decimals of a rate are reckoned with. */
const RATE_DECIMALS = 18

/**
 * What an amount is worth, to the last digit: no rounding, no float.
 *
 * @example
 * fiatValue(1_234_567n, 6, '1.08') // '1.33333236'
 */
export function fiatValue(amount: bigint, decimals: number, rate: string): string {
  const digits = decimals + RATE_DECIMALS
  const text = (amount * parseUnits(rate, RATE_DECIMALS)).toString().padStart(digits + 1, '0')
  const fraction = text.slice(-digits).replace(/0+$/, '')
  const whole = text.slice(0, -digits)
  return fraction === '' ? whole : `${whole}.${fraction}`
}

const PAGE = 500

/** Writes values beside entries that have none. What nobody knows the worth of is asked for again the next time. */
export async function valueEntries(
  store: Store<LedgerTables>,
  assetOf: (entry: { readonly network: string; readonly asset: string }) => Asset | undefined,
  { currency, rates }: { readonly currency: string; readonly rates: RateProvider },
): Promise<number> {
  let valued = 0
  for (let last: EntryRow | undefined; ; ) {
    const rows: readonly EntryRow[] = await unvalued(store, last)
    const found = await Promise.all(rows.map(async (row) => ({ id: row.id, value: await worthOf(row) })))
    const known = found.flatMap(({ id, value }) => (value === undefined ? [] : [{ id, value }]))
    if (known.length > 0) {
      await store.transaction(async (trx) => {
        for (const { id, value } of known) {
          const fiat = { fiat_currency: currency, fiat_value: value }
          await trx.updateTable('ledger_entry').set(fiat).where('id', '=', id).where('fiat_value', 'is', null).execute()
        }
      })
    }
    valued += known.length
    last = rows.at(-1)
    if (rows.length < PAGE) return valued
  }

  async function worthOf(row: EntryRow): Promise<string | undefined> {
    const { network, asset: address, amount, at } = entryOf(row)
    const asset = assetOf({ network: network as Network, asset: address })
    if (asset === undefined) return undefined
    const rate = await rates.rate({ asset, currency, at }).catch(() => undefined)
    return rate === undefined || !RATE.test(rate) ? undefined : fiatValue(amount, asset.decimals, rate)
  }
}

function unvalued(store: Store<LedgerTables>, last: EntryRow | undefined): Promise<EntryRow[]> {
  const query = store.db.selectFrom('ledger_entry').selectAll().where('fiat_value', 'is', null)
  const after =
    last === undefined
      ? query
      : query.where((eb) => eb.or([eb('at', '>', last.at), eb.and([eb('at', '=', last.at), eb('id', '>', last.id)])]))
  return after.orderBy('at').orderBy('id').limit(PAGE).execute()
}
