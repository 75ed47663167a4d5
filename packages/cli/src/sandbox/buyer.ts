import { createPayer } from '@groat/client'
import type { Network } from '@groat/core'
import { receiptOfStream } from '../commands/said-of-payment.js'
import { CliError } from '../terminal/exit.js'
import { handshake } from './demo-socket.js'
import type { LocalNetwork } from './local-network.js'

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
  /** Atomic units that were taken, where that is not all that was signed. */
  readonly charged?: string
  /** Milliseconds from the first request to the last byte. */
  readonly ms: number
}

/** Buys with the money of the sandbox's own payer, on one of its chains. `websocket`: what is sold is a socket. */
export type Buyer = { buy(url: string, network: Network, websocket?: boolean): Promise<Purchase> }

/** The sandbox's own buyer, with the published test keys. */
export function createBuyer(networks: readonly LocalNetwork[]): Buyer {
  const payers = new Map(
    networks.map(({ network, pays, ...more }) => {
      const others = [more.metered, more.channels, more.holds, more.proofs]
      const schemes = [pays, ...others.flatMap((each) => each?.pays ?? [])]
      return [network, createPayer({ schemes, policy: { networks: [network] } })]
    }),
  )
  return {
    async buy(url, on, websocket = false) {
      const payer = payers.get(on)
      const address = networks.find(({ network }) => network === on)?.pays.payer(on)
      if (payer === undefined || address === undefined) throw new CliError('usage', `${on} is not running here`)
      const start = performance.now()
      const response = await payer.fetch(url, websocket ? { fetch: handshake } : {})
      const text = await response.text()
      const answer = read(text, response)
      const outcome = payer.outcome(response)
      if (outcome === undefined || !('payment' in outcome)) throw new CliError('no', `${url} was not paid`)
      const transaction =
        outcome.status === 'settled' ? outcome.receipt.transaction : receiptOfStream(text)?.transaction
      if (transaction === undefined)
        throw new CliError('no', `${url} was not paid: ${outcome?.status ?? response.status}`)
      const { payment } = outcome
      const { network, scheme, x402Version, payTo, amount, asset } = payment
      const line = { network, scheme, x402Version, payer: address, payTo, amount: amount.toString(), asset }
      const ms = Math.round(performance.now() - start)
      return { receipt: { ...line, transaction, ms }, status: response.status, answer }
    },
  }
}

function read(text: string, { headers }: Response): unknown {
  const type = headers.get('content-type') ?? ''
  if (type.startsWith('text/event-stream')) return text.split('\n\n').filter((event) => event !== '')
  return type.startsWith('text/plain') ? text : JSON.parse(text)
}
