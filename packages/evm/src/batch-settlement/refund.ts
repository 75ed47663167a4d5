import {
  decodeChallenge,
  decodeReceipt,
  type ErrorCode,
  encodePayment,
  type Fetch,
  isJsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  parseAtomic,
  type ResourceInfo,
  refuse,
  sha256Hex,
  X402Error,
} from '@groat/core'
import type { EvmAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { nobleEngine } from '../crypto/noble.js'
import type { Hex } from '../hex.js'
import { signWith } from '../sign.js'
import { type ChannelConfig, channelIdOf, voucherDigest, voucherTypedData, wireOfConfig } from './channel.js'
import type { PayerChannel, PayerChannels } from './client-channels.js'
import { configFor, offeredAgain, toldBy } from './client-state.js'
import { batchOnEvm } from './identity.js'

/** What a refund is asked for with. */
export type RefundRequest = {
  /** Whose money it is; its key signs the voucher again that was last charged. */
  readonly account: EvmAccount
  /** Where channels are remembered, the same as for paying. */
  readonly channels: PayerChannels
  /** Atomic units; all that was not spent unless told. */
  readonly amount?: bigint
  /** The salt of the channel, where it has one: 32 bytes. */
  readonly salt?: Hex
  /** The only network to ask on, where the seller offers several. */
  readonly network?: string
  readonly fetch?: Fetch
  readonly engine?: CryptoEngine
}

/** What became of it. Amounts in atomic units. */
export type RefundAnswer =
  | {
      readonly status: 'refunded'
      readonly channelId: Hex
      readonly transaction: string
      /** What came back; absent where the seller does not say. */
      readonly amount?: bigint
      /** What is left of the channel. */
      readonly channel: PayerChannel
    }
  | { readonly status: 'refused'; readonly code: ErrorCode; readonly detail?: string }
  /** Nobody knows yet: ask again, for the same amount; the same wish is granted once. */
  | { readonly status: 'unknown' }

/**
 * Asks a seller to give back what was deposited and not spent, at any URL that is paid out of the channel (EVM-BATCH-080). Nothing is risked
 * by asking: the only thing signed is a voucher for what was charged already. A seller that has another count is believed as far as one's own
 * signature bears it out, once (EVM-BATCH-016). A seller that is gone, or refuses, is left by `createWithdrawals`.
 *
 * Refused, besides what the seller refuses: `no_matching_requirements`, `invalid_payment_requirements`, `invalid_challenge`,
 * `invalid_batch_settlement_evm_refund_amount_invalid`. Throws `X402Error` `seller_unreachable`, `signer_failed`.
 *
 * @example
 * const answer = await requestRefund('https://api.example/feed', { account, channels })
 */
export async function requestRefund(url: string, request: RefundRequest): Promise<RefundAnswer> {
  const { account, channels, amount, fetch: get = fetch, engine = nobleEngine } = request
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('the account has no address')
  if (amount !== undefined && amount <= 0n) return refused('invalid_batch_settlement_evm_refund_amount_invalid')
  const salt: Hex = request.salt ?? `0x${'0'.repeat(64)}`
  const asked = await ask(get, url)
  const challenge = decodeChallenge((name) => asked.headers.get(name))
  if (asked.status !== 402 || challenge === undefined) return refused('invalid_challenge')
  if (!challenge.ok) return refused(challenge.code)
  const offer = challenge.value.accepts.find(
    ({ scheme, network }) => scheme === batchOnEvm.name && network === (request.network ?? network),
  )
  const chainId = offer && chainIdOf(offer.network)
  if (offer === undefined || chainId === undefined) {
    const where = offer?.network ?? request.network
    return refused('no_matching_requirements', `no offer of ${batchOnEvm.name}${where ? ` on ${where}` : ''}`)
  }
  const config = configFor(payer, salt, offer)
  if ('ok' in config) return refused(config.code, config.detail)
  const channelId = channelIdOf(engine, chainId, config)
  const { resource } = challenge.value
  const about = { network: offer.network, config }
  let channel = (await channels.get(channelId)) ?? { charged: 0n, balance: 0n }
  for (let corrected = false; ; corrected = true) {
    const payment = await wishFor(account, engine, { offer, resource, config, channelId, chainId, channel, amount })
    const { name, value } = encodePayment(payment)
    const answer = await ask(get, url, { [name]: value })
    const header = (name: string) => answer.headers.get(name)
    const receipt = decodeReceipt(header)
    const outcome = receipt?.ok === true ? receipt.value : undefined
    if (outcome?.status === 'settled') {
      const { transaction, amount: paid, extra } = outcome.receipt
      const left = leftOf(channel, paid, extra)
      return {
        ...{ status: 'refunded', channelId, transaction, channel: await keep(left) },
        ...(paid === undefined ? {} : { amount: paid }),
      }
    }
    if (outcome?.status === 'refused') return refused(outcome.code, outcome.detail)
    if (outcome?.status === 'unknown' || answer.status !== 402) return { status: 'unknown' }
    const again = offeredAgain(offer, header)
    const told = again && toldBy(engine, again, config, channelId, chainId)
    if (told === undefined || corrected) return refusedWith(header)
    channel = await keep({ charged: told.charged, balance: told.balance })
  }

  async function keep(left: Pick<PayerChannel, 'charged' | 'balance'>): Promise<PayerChannel> {
    let kept: PayerChannel = left
    await channels.change(channelId, (now) => {
      kept = { ...left, about, ...(now?.open && { open: now.open }) }
      return kept
    })
    return kept
  }
}

type Wish = {
  readonly offer: PaymentRequirements
  readonly resource: ResourceInfo | undefined
  readonly config: ChannelConfig
  readonly channelId: Hex
  readonly chainId: bigint
  readonly channel: PayerChannel
  readonly amount: bigint | undefined
}

async function wishFor(account: EvmAccount, engine: CryptoEngine, wish: Wish): Promise<PaymentPayload> {
  const { offer, resource, config, channelId, chainId, channel, amount } = wish
  const voucher = { channelId, maxClaimable: channel.charged }
  const signature = await signWith(account, {
    digest: () => voucherDigest(engine, chainId, voucher),
    typedData: () => voucherTypedData(chainId, voucher),
  })
  // Until it is granted the same wish has the same name, and afterwards another (EVM-BATCH-081).
  const id = sha256Hex(`${channelId} ${channel.charged} ${channel.balance} ${amount ?? 'all'}`)
  const payload = {
    ...{ type: 'refund', id, channelConfig: wireOfConfig(config) },
    voucher: { channelId, maxClaimableAmount: channel.charged.toString(), signature },
    ...(amount === undefined ? {} : { amount: amount.toString() }),
  }
  return {
    ...{ x402Version: 2, scheme: offer.scheme, network: offer.network, accepted: offer, payload },
    ...(resource && { resource }),
  }
}

/** What remains: what the seller says, where that is less than what we knew, and never less than what it charged. */
function leftOf({ charged, balance }: PayerChannel, paid: bigint | undefined, extra: unknown): PayerChannel {
  const state = isJsonObject(extra) && isJsonObject(extra.channelState) ? extra.channelState : {}
  const told = typeof state.balance === 'string' ? parseAtomic(state.balance) : undefined
  const left = told ?? (paid === undefined || paid > balance ? charged : balance - paid)
  return { charged, balance: left < charged ? charged : left }
}

async function ask(get: Fetch, url: string, headers: Record<string, string> = {}): Promise<Response> {
  try {
    const answer = await get(url, { headers, redirect: 'error' })
    // What is asked for stands in the headers. Not waited for: it does not end while somebody holds a copy.
    answer.body?.cancel().catch(() => {})
    return answer
  } catch (cause) {
    throw new X402Error('seller_unreachable', {}, { cause })
  }
}

function refusedWith(header: (name: string) => string | null): RefundAnswer {
  const challenge = decodeChallenge(header)
  const error = challenge?.ok === true ? challenge.value.error : undefined
  return refused('channel_refund_refused', error)
}

function refused(code: ErrorCode, detail?: string): RefundAnswer {
  const { ok: _, ...why } = refuse(code, detail)
  return { status: 'refused', ...why }
}
