import {
  type Asset,
  assetByTicker,
  type Network,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  type Random,
  systemRandom,
} from '@groat/core'
import type { EvmAccount } from '../src/account.js'
import { exactEvm as client } from '../src/exact/client.js'
import { exactEvm as server } from '../src/exact/server.js'
import { uptoEvm as uptoClient } from '../src/upto/client.js'
import { uptoEvm as uptoServer } from '../src/upto/server.js'

/** The sandbox's well-known keys. */
export const PAYER_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'
export const PAYER = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266'
export const SELLER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
export const FACILITATOR = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'
export const BASE_SEPOLIA = network('base-sepolia')

/** An offer of the default asset, 0.001 of it unless told. */
export function offerOf(
  terms: { readonly network?: Network; readonly amount?: bigint; readonly payTo?: string } = {},
): PaymentRequirements {
  const { network = BASE_SEPOLIA, amount = 1000n, payTo = SELLER } = terms
  const asset = assetByTicker(network, 'USD')
  if (asset === undefined) throw new TypeError('the network has no default asset')
  return server.offer({ network, asset, amount, payTo, maxTimeoutSeconds: 60 })
}

type PayOptions = { readonly now?: number; readonly assets?: readonly Asset[]; readonly random?: Random }

/** A payment for an offer, signed at `now` (milliseconds), with the tokens that the payer knows besides the default ones. */
export async function pay(
  offer: PaymentRequirements,
  account: EvmAccount,
  { now = Date.now(), assets = [], random = systemRandom }: PayOptions = {},
): Promise<PaymentPayload> {
  const context = { clock: () => now, random, maxLifetimeSeconds: 600 }
  const prepared = client({ account, assets }).prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  return { x402Version: 2, scheme: 'exact', network: offer.network, accepted: offer, payload: await prepared.sign() }
}

/** An offer with a ceiling, 0.05 of the default asset unless told, that the sandbox's first facilitator settles. */
export function uptoOfferOf(
  terms: { readonly amount?: bigint; readonly asset?: Asset; readonly facilitator?: string } = {},
): PaymentRequirements {
  const { amount = 50_000n, asset = assetByTicker(BASE_SEPOLIA, 'USD'), facilitator = FACILITATOR } = terms
  if (asset === undefined) throw new TypeError('the network has no default asset')
  const extra = { facilitatorAddress: facilitator }
  return uptoServer.offer({ network: BASE_SEPOLIA, asset, amount, payTo: SELLER, maxTimeoutSeconds: 60, extra })
}

/** A payment by `upto` for an offer. */
export async function payUpto(
  offer: PaymentRequirements,
  account: EvmAccount,
  { now = Date.now(), assets = [], random = systemRandom }: PayOptions = {},
): Promise<PaymentPayload> {
  const context = { clock: () => now, random, maxLifetimeSeconds: 600 }
  const prepared = uptoClient({ account, assets }).prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  return { x402Version: 2, scheme: 'upto', network: offer.network, accepted: offer, payload: await prepared.sign() }
}
