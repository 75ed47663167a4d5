import {
  assetByTicker,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  type Random,
  systemRandom,
} from '@groat/core'
import type { EvmAccount } from '../src/account.js'
import { authCaptureEvm as client } from '../src/auth-capture/client.js'
import { type AuthCaptureEvmServerOptions, authCaptureEvm as server } from '../src/auth-capture/server.js'
import { BASE_SEPOLIA, FACILITATOR, SELLER } from './payments.js'

/** Whose word payouts need: the sandbox's fourth account. */
export const AUTHORIZER = '0x90F79bf6EB2c4f870365E785982E1f101E93b906'
export const AUTHORIZER_KEY = '0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6'

/** An offer of 0.01 USDC that the sandbox's first facilitator collects. */
export function holdOffer(options: AuthCaptureEvmServerOptions = {}, extra: JsonObject = {}): PaymentRequirements {
  const asset = assetByTicker(BASE_SEPOLIA, 'USD')
  if (asset === undefined) throw new TypeError('the network has no default asset')
  const kind = {
    ...({ x402Version: 2, scheme: 'auth-capture', network: BASE_SEPOLIA } as const),
    extra: { captureAuthorizer: FACILITATOR },
  }
  const terms = { network: BASE_SEPOLIA, asset, amount: 10_000n, payTo: SELLER, maxTimeoutSeconds: 60 }
  return server({ receiverAuthorizer: AUTHORIZER, ...options }).offer({ ...terms, extra, kind })
}

/** A payment for an offer, and what it is called. */
export async function payHold(
  offer: PaymentRequirements,
  account: EvmAccount,
  { now = Date.now(), random = systemRandom }: { readonly now?: number; readonly random?: Random } = {},
): Promise<PaymentPayload> {
  const prepared = client({ account }).prepare(offer, { clock: () => now, random, maxLifetimeSeconds: 600 })
  if (!prepared.ok) throw new TypeError(prepared.code)
  const { scheme, network } = offer
  return { x402Version: 2, scheme, network, accepted: offer, payload: await prepared.sign() }
}
