import {
  type Clock,
  check,
  decodeJsonObject,
  type ExtensionClient,
  isJsonObject,
  type JsonObject,
  type Random,
  readBounded,
  systemClock,
  systemRandom,
  X402Error,
} from '@groat/core'
import { formatHex, nobleEngine } from '@groat/evm/crypto'
import { encodeBase58 } from '@groat/svm/wire'
import {
  type RefundMessage,
  type RefundReason,
  type RefundTerms,
  refundBytes,
  refundDigest,
  refundExtension,
  typedDataOf,
} from './refund.js'
import * as shapes from './schema.shapes.js'

export { type RefundMessage, type RefundReason, type RefundTerms, refundBytes, refundDigest } from './refund.js'

/** The account that paid: of EVM, one that signs digests or typed data; of Solana, one that signs bytes. */
export type RefundAccount =
  | { readonly address: string; signDigest(digest: Uint8Array): Promise<Uint8Array> }
  | { readonly address: string; signTypedData(data: never): Promise<string> }
  | { readonly address: string; sign(message: Uint8Array): Promise<Uint8Array> }

/** A payment whose money is asked back. */
export type PaidPayment = Pick<RefundMessage, 'network' | 'transaction' | 'payer' | 'payTo' | 'asset'> & {
  /** Atomic units. */
  readonly amount: bigint
}

/** How money is asked back. */
export type RefundWish = {
  /** What the seller announced, or the receipt holds: `refundTerms(receipt.extensions)`. */
  readonly terms: RefundTerms
  /** The URL that was paid for: nobody but its own origin is asked. */
  readonly resource: string
  readonly paid: PaidPayment
  readonly account: RefundAccount
  readonly reason: RefundReason
  /** Atomic units; all of it unless told. */
  readonly amount?: bigint
  /** Names this wish: the same name is the same wish, however often it is sent. Random unless told. */
  readonly idempotencyKey?: string
  readonly fetch?: typeof globalThis.fetch
  readonly clock?: Clock
  readonly random?: Random
  readonly signal?: AbortSignal
}

/** What the seller answered: paid back, being looked at or paid, or no. Its words are its own: only the chain shows what was paid. */
export type RefundReply =
  | { readonly status: 'executed' | 'pending'; readonly amount?: bigint; readonly transaction?: string }
  | {
      readonly status: 'denied'
      readonly code?: string
      /** Atomic units that the seller would give instead: what is not used yet. */
      readonly amount?: bigint
    }

/**
 * The payer's half of `groat-refund`. The terms are for people and for `requestRefund`; payments say nothing of them.
 *
 * @example
 * const payer = createPayer({ schemes, extensions: [refundsKnown()] })
 */
export function refundsKnown(): ExtensionClient {
  return { extension: refundExtension, attach: () => undefined }
}

/**
 * The terms of refunds in a challenge's or a receipt's extensions; `undefined`: none that can be read.
 *
 * @example
 * refundTerms(payer.receipt(response)?.receipt.extensions)?.windowSeconds
 */
export function refundTerms(extensions: JsonObject | undefined): RefundTerms | undefined {
  const value = extensions?.[refundExtension.key]
  const info = isJsonObject(value) ? check(shapes.RefundTerms, value.info) : undefined
  return info?.ok ? info.value : undefined
}

/**
 * Asks the seller for money back. The same wish may be sent again: it is one refund. Throws `X402Error` `invalid_config` for an endpoint of another origin than the one that was
 * paid, `signer_failed`, and `facilitator_invalid_answer` for an answer that is none; what `fetch` throws passes.
 *
 * @example
 * const reply = await requestRefund({ terms, resource, paid, account, reason: 'service_defective' })
 */
export async function requestRefund(wish: RefundWish): Promise<RefundReply> {
  const { terms, resource, paid, account, reason, amount = paid.amount, signal } = wish
  const { fetch = globalThis.fetch, clock = systemClock, random = systemRandom } = wish
  const { origin } = new URL(resource)
  if (new URL(terms.endpoint).origin !== origin) {
    throw new X402Error('invalid_config', { field: 'terms.endpoint', reason: 'is of another origin than the payment' })
  }
  const { network, transaction, payer, payTo, asset } = paid
  const message: RefundMessage = {
    version: 1,
    ...{ network, transaction, payer, payTo, asset, reason },
    amount: amount.toString(),
    refundTo: payer,
    idempotencyKey: wish.idempotencyKey ?? nameFrom(random),
    audience: origin,
    issuedAt: Math.floor(clock() / 1000),
  }
  const signature = await sign(message, account)
  const response = await fetch(terms.endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ ...message, signature }),
    redirect: 'error',
    ...(signal && { signal }),
  })
  const bytes = await readBounded(response.body, { maxBytes: MAX_REPLY })
  const json = decodeJsonObject(new TextDecoder().decode(bytes))
  const reply = json.ok ? check(shapes.RefundReply, json.value) : json
  if (!reply.ok) throw new X402Error('facilitator_invalid_answer', { status: response.status })
  const { status, amount: given, transaction: sent, code } = reply.value
  const sum = given === undefined ? {} : { amount: BigInt(given) }
  if (status === 'denied') return { status, ...(code === undefined ? {} : { code }), ...sum }
  return {
    status: status === 'executed' ? 'executed' : 'pending',
    ...sum,
    ...(sent === undefined ? {} : { transaction: sent }),
  }
}

const MAX_REPLY = 65_536

async function sign(message: RefundMessage, account: RefundAccount): Promise<string> {
  try {
    if (message.network.startsWith('solana:')) {
      if (!('sign' in account)) throw new TypeError('the account does not sign bytes')
      return encodeBase58(await account.sign(refundBytes(message)))
    }
    if ('signDigest' in account) return formatHex(await account.signDigest(refundDigest(nobleEngine, message)))
    if (!('signTypedData' in account)) throw new TypeError('the account does not sign typed data')
    // The account takes typed data of any type; its own types cannot say so here.
    return await account.signTypedData(typedDataOf(message) as never)
  } catch (cause) {
    throw new X402Error('signer_failed', { payer: message.payer }, { cause })
  }
}

const nameFrom = (random: Random): string =>
  `refund_${Array.from(random(16), (byte) => byte.toString(16).padStart(2, '0')).join('')}`
