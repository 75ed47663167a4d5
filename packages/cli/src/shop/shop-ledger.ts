import { assetByAddress, parseMoney, parseUnits } from '@groat/core'
import { createLedger, fixedRates, type Ledger } from '@groat/server/ledger'
import type { AnyStore } from '@groat/store'
import type { BooksConfig } from '../config/shop-config.js'

/** Opens the books of a shop. Throws `X402Error` `invalid_config`, `invalid_price`. */
export async function openLedger(store: AnyStore, { fiat, webhook, settlementFee }: BooksConfig): Promise<Ledger> {
  const fee = settlementFee === undefined ? undefined : parseMoney(settlementFee)
  return createLedger(store, {
    ...(fee === undefined
      ? {}
      : {
          fee: ({ network, asset }) => {
            const known = assetByAddress(network, asset)
            return known === undefined ? 0n : parseUnits(fee.decimal, known.decimals)
          },
        }),
    ...(fiat === undefined ? {} : { fiat: { currency: fiat.currency, rates: fixedRates(fiat.rates) } }),
    ...(webhook === undefined ? {} : { webhook }),
  })
}
