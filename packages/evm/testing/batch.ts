import {
  type Asset,
  assetByTicker,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  systemRandom,
} from '@groat/core'
import { privateKeyAccount } from '../src/account.js'
import type { ChannelConfig, ClaimRow } from '../src/batch-settlement/channel.js'
import { claimBatchDigest, refundDigest, wireOfConfig } from '../src/batch-settlement/channel.js'
import { type BatchEvmClientOptions, batchEvm as client } from '../src/batch-settlement/client.js'
import { batchEvm as server } from '../src/batch-settlement/server.js'
import { nobleEngine } from '../src/crypto/index.js'
import { formatHex, type Hex } from '../src/hex.js'
import { BASE_SEPOLIA, PAYER_KEY, SELLER } from './payments.js'

/** The account whose word claims and refunds need. */
export const AUTHORIZER_KEY = '0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6'
export const AUTHORIZER = '0x90F79bf6EB2c4f870365E785982E1f101E93b906'

/** An offer by channels, 0.001 of the default asset unless told. */
export function batchOfferOf(
  {
    amount = 1000n,
    asset = assetByTicker(BASE_SEPOLIA, 'USD'),
  }: { readonly amount?: bigint; readonly asset?: Asset } = {},
  extra: JsonObject = {},
): PaymentRequirements {
  if (asset === undefined) throw new TypeError('the network has no default asset')
  const terms = { network: BASE_SEPOLIA, asset, amount, payTo: SELLER, maxTimeoutSeconds: 60, extra }
  return server({ receiverAuthorizer: AUTHORIZER }).offer(terms)
}

/** A payment by a channel for an offer, by the sandbox's payer unless told. */
export async function payBatch(
  terms: PaymentRequirements,
  by: Partial<BatchEvmClientOptions> | ReturnType<typeof client> = {},
): Promise<PaymentPayload> {
  const half = 'prepare' in by ? by : client({ account: privateKeyAccount(PAYER_KEY), engine: nobleEngine, ...by })
  const prepared = await half.prepare(terms, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 600 })
  if (!prepared.ok) throw new TypeError(prepared.code)
  return batchRequest(terms, await prepared.sign())
}

/** What a seller or a payer asks of a facilitator under these terms. */
export function batchRequest(terms: PaymentRequirements, payload: JsonObject): PaymentPayload {
  return { x402Version: 2, scheme: terms.scheme, network: terms.network, accepted: terms, payload }
}

const authorizer = privateKeyAccount(AUTHORIZER_KEY)

/** A claim with the word of the seller. */
export async function claimOf(...rows: readonly ClaimRow[]): Promise<JsonObject> {
  const digest = claimBatchDigest(nobleEngine, 84_532n, rows)
  return {
    type: 'claim',
    claims: rows.map(wireRow),
    claimAuthorizerSignature: formatHex(await authorizer.signDigest(digest)),
  }
}

/** A refund with the word of the seller. */
export async function refundOf(
  config: ChannelConfig,
  channelId: Hex,
  { nonce = 0n, amount }: { readonly nonce?: bigint; readonly amount: bigint },
): Promise<JsonObject> {
  const digest = refundDigest(nobleEngine, 84_532n, { channelId, nonce, amount })
  return {
    ...{ type: 'refund', channelConfig: wireOfConfig(config), claims: [] },
    voucher: { channelId, maxClaimableAmount: '0', signature: '0x' },
    ...{ amount: amount.toString(), refundNonce: nonce.toString() },
    refundAuthorizerSignature: formatHex(await authorizer.signDigest(digest)),
  }
}

function wireRow({ channel, maxClaimable, signature, totalClaimed }: ClaimRow): JsonObject {
  const voucher = { channel: wireOfConfig(channel), maxClaimableAmount: maxClaimable.toString() }
  return { voucher, signature, totalClaimed: totalClaimed.toString() }
}
