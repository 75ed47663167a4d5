import {
  assetByTicker,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  type Random,
  systemRandom,
} from '@groat/core'
import { exactSvm as client, type SvmAccount } from '../src/exact/client.js'
import { exactSvm as server } from '../src/exact/server.js'

/** The sandbox's well-known accounts. */
export const PAYER = '9hSR6S7WPtxmTojgo6GG3k4yDPecgJY292j7xrsUGWBu'
export const PAYER_KEY = '3L3RY5sT8K4kyEnqhizwaqxLEbcYvpGrGPNEYRwtbCSdSvvMAJawwEEPE3NhshFbVUqmvDV74Ct4vo7MEu7yxJX'
export const SELLER = 'GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse'
export const FEE_PAYER = 'AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9'
export const FEE_PAYER_KEY = '2AXDGYSE4f2sz7tvMMzyHvUfcoJmxudvdhBcmiUSo6iuCXagjUCKEQF21awZnUGxmwD4m9vGXuC3qieHXJQHAcT'
export const DEVNET = network('solana-devnet')
/** 32 times 7. */
export const BLOCKHASH = 'US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx'

type Terms = Partial<Pick<PaymentRequirements, 'network' | 'amount' | 'payTo' | 'extra'>> & { readonly ticker?: string }

/** An offer of USDC, 0.001 of it unless told. */
export function offerOf({
  network = DEVNET,
  amount = 1000n,
  payTo = SELLER,
  extra = {},
  ticker = 'USDC',
}: Terms = {}): PaymentRequirements {
  const asset = assetByTicker(network, ticker)
  if (asset === undefined) throw new TypeError('the network has no such asset')
  const terms = { network, asset, amount, payTo, maxTimeoutSeconds: 60, extra: { feePayer: FEE_PAYER, ...extra } }
  return server.offer(terms)
}

type PayOptions = { readonly now?: number; readonly blockhash?: string; readonly random?: Random }

/** A payment for an offer. */
export async function pay(
  offer: PaymentRequirements,
  account: SvmAccount,
  { now = Date.now(), blockhash = BLOCKHASH, random = systemRandom }: PayOptions = {},
): Promise<PaymentPayload> {
  const context = { clock: () => now, random, maxLifetimeSeconds: 600 }
  const prepared = await client({ account, rpc: async () => blockhash }).prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  return { x402Version: 2, scheme: 'exact', network: offer.network, accepted: offer, payload: await prepared.sign() }
}
