import { createPayer } from '@groat/client'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { CliError } from '../terminal/exit.js'

/** A payment that was made: the receipt line, and what was bought. */
export type Purchase = {
  readonly receipt: ReceiptLine
  readonly status: number
  readonly answer: unknown
}

/** One line per payment, as `npm start -- --once --json` prints it. */
export type ReceiptLine = {
  readonly network: string
  readonly scheme: string
  readonly x402Version: number
  readonly payer: string
  readonly payTo: string
  /** Atomic units. */
  readonly amount: string
  readonly asset: string
  readonly transaction: string
  /** Milliseconds from the first request to the last byte. */
  readonly ms: number
}

/** Whose money is spent. */
type Buyer = { readonly address: `0x${string}`; readonly privateKey: string }

/** The sandbox's own buyer, with the published test key. */
export function createBuyer({ address, privateKey }: Buyer): { buy(url: string): Promise<Purchase> } {
  const payer = createPayer({ schemes: [exactEvm({ account: { ...privateKeyAccount(privateKey), address } })] })
  return {
    async buy(url) {
      const start = performance.now()
      const response = await payer.fetch(url)
      const answer: unknown = await response.json()
      const outcome = payer.outcome(response)
      if (outcome?.status !== 'settled')
        throw new CliError('no', `${url} was not paid: ${outcome?.status ?? response.status}`)
      const { payment, receipt } = outcome
      const { network, scheme, x402Version, payTo, amount, asset } = payment
      const line = { network, scheme, x402Version, payer: address, payTo, amount: amount.toString(), asset }
      const ms = Math.round(performance.now() - start)
      return { receipt: { ...line, transaction: receipt.transaction, ms }, status: response.status, answer }
    },
  }
}
