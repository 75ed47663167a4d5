import {
  assetByAddress,
  decodePayment,
  type Facilitator,
  type PaymentPayload,
  type PaymentRequirements,
  type SchemeFacilitator,
} from '@groat/core'
import type { Witness } from '../guard.js'
import type { Intent } from '../intents.js'
import type { ChainFinding } from '../purse.js'

/** Whom a buyer believes about what became of a payment. */
export type WitnessOptions = {
  /** Facilitators' halves of schemes, over nodes of the buyer's own choice: they only read. */
  readonly chains?: readonly Pick<SchemeFacilitator, 'scheme' | 'networks' | 'outcome'>[]
  /** Asked first, by `GET /settlements/{pid}`: it can say that a payment was settled, never that it is void. */
  readonly facilitator?: Pick<Facilitator, 'settlement'>
}

/**
 * A witness over the buyer's own nodes and, before them, a facilitator. Without either it knows nothing, and then nothing that was signed
 * is ever replaced. What cannot be asked is no proof.
 *
 * @example
 * const buyer = createBuyer({ schemes, witness: witnessOf({ chains: [exactEvmFacilitator({ chains: [chain] })] }) })
 */
export function witnessOf(options: WitnessOptions): Witness {
  return async (intent) => {
    const told = await options.facilitator?.settlement?.(intent.pid).catch(() => undefined)
    if (told?.status === 'settled') return 'settled'
    const finding = await findOnChain(intent, options.chains ?? [], () => 0).catch(() => undefined)
    return finding === undefined || finding.status === 'pending' ? undefined : finding.status
  }
}

/**
 * What a chain says of a payment; `undefined` when no half knows its network, or it was never signed.
 * Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * const finding = await findOnChain(record.intent, [exactEvmFacilitator({ chains: [chain] })], Date.now)
 */
export async function findOnChain(
  intent: Intent,
  chains: NonNullable<WitnessOptions['chains']>,
  clock: () => number,
): Promise<ChainFinding | undefined> {
  const payment = paymentOf(intent)
  const half = chains.find(({ scheme, networks }) => scheme.name === intent.scheme && networks.includes(intent.network))
  if (payment === undefined || half === undefined) return undefined
  const { transaction, payer } = intent
  const sent = transaction === undefined ? [] : [{ hash: transaction, signer: payer }]
  const outcome = await half.outcome(payment, requirementsOf(intent, payment), sent)
  const at = clock()
  // A nonce that is used proves nothing while the transfer behind it was not found; an unused one that has expired does.
  if (outcome.status === 'dead' && outcome.refusal.code === 'payment_expired') return { status: 'void', at }
  if (outcome.status !== 'settled') return { status: 'pending', at }
  return {
    status: 'settled',
    transaction: outcome.transaction,
    logIndex: outcome.logIndex,
    blockNumber: outcome.blockNumber.toString(),
    blockHash: outcome.blockHash,
    amount: outcome.amount.toString(),
    at,
  }
}

function paymentOf({ payment }: Intent): PaymentPayload | undefined {
  const decoded = payment && decodePayment((name) => (name === payment.name ? payment.value : undefined))
  return decoded?.ok ? decoded.value : undefined
}

/** Version 1 does not echo the offer; the intent has of it what a chain is asked about. */
function requirementsOf(
  { scheme, network, asset, payTo, amount }: Intent,
  { accepted }: PaymentPayload,
): PaymentRequirements {
  const extra = { ...assetByAddress(network, asset)?.domain }
  return accepted ?? { scheme, network, asset, payTo, amount, maxTimeoutSeconds: 0, extra }
}
