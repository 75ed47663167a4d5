import {
  type Asset,
  decodeHeaderObject,
  decodeRequirements,
  encodeHeaderObject,
  encodeReceipt,
  encodeRequirements,
  type Facilitator,
  type Fetch,
  findTicker,
  headerNames,
  isJsonObject,
  isNetwork,
  type Network,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  parseMoney,
  parseUnits,
  type SchemeClient,
  type SupportedKind,
  X402Error,
} from '@groat/core'
import type { PaymentOutcome } from '../outcome.js'
import type { Payer } from '../payer.js'

/** A payment that belongs to no request. */
export type Order = {
  /** Such as `$0.10`, or `0.5 EURC`. */
  readonly amount: string
  /** Account on that network. */
  readonly recipient: string
  /** By CAIP-2 id or v1 name. Default: every network that both the buyer and the facilitator know. */
  readonly network?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** Every call with this key, in any process that shares the purse, makes one and the same payment. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
  /** Seconds for which the signature may live. Default 300. */
  readonly maxTimeoutSeconds?: number
}

/** The origin that payments without a request have in policies and records. Nobody can have this name. */
export const DIRECT_ORIGIN = 'https://direct.invalid'

/** How direct payments are made. */
export type DirectTools = {
  readonly facilitator: Facilitator
  readonly schemes: readonly SchemeClient[]
  /** Makes a payer over this fetch, with the policy, the purse and everything else of the buyer. */
  readonly payerOver: (fetch: Fetch) => Payer
}

/**
 * Pays accounts by a facilitator, with no seller between: the same policy, budgets, intents and outcomes as for requests, because it is
 * the same payer. What it talks to is a seller inside this process, which asks for exactly what was ordered.
 */
export function directPayments({
  facilitator,
  schemes,
  payerOver,
}: DirectTools): (order: Order) => Promise<PaymentOutcome> {
  const payer = payerOver(sellerOf(facilitator))
  return async ({ idempotencyKey, metadata, signal, ...order }) => {
    const accepts = await offersOf(order, schemes, facilitator, signal)
    const url = `${DIRECT_ORIGIN}/${encodeURIComponent(order.recipient)}`
    const wire = { x402Version: 2, resource: { url }, accepts: accepts.map((offer) => encodeRequirements(2, offer)) }
    const body = encodeHeaderObject(wire)
    const response = await payer.fetch(url, {
      method: 'POST',
      body,
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      ...(metadata && { metadata }),
      ...(signal && { signal }),
    })
    const outcome = payer.outcome(response)
    if (outcome === undefined) throw new X402Error('invalid_challenge', { reason: 'the order cannot be paid' })
    return outcome
  }
}

/** A seller that asks for what it is told to ask for, and has every payment settled. */
function sellerOf(facilitator: Facilitator): Fetch {
  return async (url, init) => {
    const wire = decodeHeaderObject(new Headers(init?.headers).get(headerNames[2].payment))
    if (wire === undefined) {
      return new Response('', { status: 402, headers: { 'PAYMENT-REQUIRED': String(init?.body) } })
    }
    const accepted = decodeRequirements(2, wire.accepted)
    const { payload, extensions } = wire
    if (!accepted.ok || !isJsonObject(payload)) throw new X402Error('invalid_payload', { reason: 'our own payment' })
    const requirements = accepted.value
    const { scheme, network } = requirements
    const payment: PaymentPayload = {
      ...{ x402Version: 2, scheme, network, accepted: requirements, payload, resource: { url: String(url) } },
      ...(isJsonObject(extensions) && { extensions }),
    }
    const request = { x402Version: 2, payment, requirements } as const
    const settlement = await facilitator.settle(request, init?.signal ? { signal: init.signal } : {})
    const receipt = encodeReceipt(2, network, settlement)
    const status = { settled: 200, refused: 402, unknown: 503 }[settlement.status]
    const wait = settlement.status === 'unknown' ? { 'retry-after': String(settlement.retryAfter) } : {}
    return new Response(null, { status, headers: { [receipt.name]: receipt.value, ...wait } })
  }
}

async function offersOf(
  { amount, recipient, maxTimeoutSeconds = 300, ...order }: Omit<Order, 'metadata' | 'idempotencyKey' | 'signal'>,
  schemes: readonly SchemeClient[],
  facilitator: Facilitator,
  signal: AbortSignal | undefined,
): Promise<readonly PaymentRequirements[]> {
  const { decimal, ticker } = parseMoney(amount)
  const wanted = order.network === undefined ? undefined : networkOf(order.network)
  const { kinds } = await facilitator.supported(signal ? { signal } : {})
  const offers = kinds.flatMap((kind): PaymentRequirements[] => {
    if (kind.x402Version !== 2 || kind.scheme !== 'exact' || (wanted ?? kind.network) !== kind.network) return []
    const mine = schemes.filter((half) => half.scheme.name === kind.scheme && half.payer(kind.network) !== undefined)
    const known = mine.flatMap(({ assets = [] }) => assets)
    const asset = findTicker(known, kind.network, ticker)
    if (asset === undefined) return []
    return [offerOf(kind, asset, parseUnits(decimal, asset.decimals), recipient, maxTimeoutSeconds)]
  })
  if (offers.length === 0) throw new X402Error('unsupported_offer', { network: wanted, asset: ticker })
  return offers
}

function offerOf(
  { scheme, network, extra }: SupportedKind,
  asset: Asset,
  amount: bigint,
  payTo: string,
  maxTimeoutSeconds: number,
): PaymentRequirements {
  return {
    ...{ scheme, network, amount, asset: asset.address, payTo, maxTimeoutSeconds },
    extra: { ...extra, ...asset.domain },
  }
}

function networkOf(name: string): Network {
  return isNetwork(name) ? name : network(name)
}
