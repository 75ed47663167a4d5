import {
  assetByTicker,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  type Random,
  systemRandom,
} from '@groat/core'
import { exactSvm as client, type SvmAccount, secretKeyAccount } from '../src/exact/client.js'
import { exactSvm as server } from '../src/exact/server.js'
import { addressBytes, type Key } from '../src/wire/address.js'
import { encodeBase64 } from '../src/wire/base64.js'
import { associatedTokenAccount } from '../src/wire/derived-address.js'
import { memo, setComputeUnitLimit, setComputeUnitPrice, transferChecked } from '../src/wire/instructions.js'
import { encodeMessage, encodeTransaction, type MessagePlan, type PlannedInstruction } from '../src/wire/message.js'
import { programs } from '../src/wire/programs.js'

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

/** What a payment is made of, before it is a message. */
export type Parts = {
  readonly feePayer: Key
  readonly limit: PlannedInstruction
  readonly price: PlannedInstruction
  readonly transfer: PlannedInstruction
  readonly others: readonly PlannedInstruction[]
}

/** The parts of the usual payment for an offer. */
export function partsOf({ asset, payTo, amount, extra }: PaymentRequirements): Parts {
  const [mint, owner, payer] = [addressBytes(asset), addressBytes(payTo), addressBytes(PAYER)]
  return {
    feePayer: addressBytes(String(extra.feePayer)),
    limit: setComputeUnitLimit(20_000),
    price: setComputeUnitPrice(1n),
    transfer: transferChecked(programs.token, {
      source: associatedTokenAccount(payer, programs.token, mint),
      mint,
      destination: associatedTokenAccount(owner, programs.token, mint),
      authority: payer,
      amount,
      decimals: 6,
    }),
    others: [memo(new TextEncoder().encode('a memo'))],
  }
}

/** A payment by whatever instructions, signed by the payer. */
export async function payBy(
  offer: PaymentRequirements,
  plan: Omit<MessagePlan, 'blockhash'> & { readonly blockhash?: string },
  spoil: (message: Uint8Array) => Uint8Array = (message) => message,
): Promise<PaymentPayload> {
  const { blockhash = BLOCKHASH, ...rest } = plan
  const message = spoil(encodeMessage({ ...rest, blockhash: addressBytes(blockhash) }))
  const signers = message[message[0] === 0x80 ? 1 : 0] ?? 0
  const signature = await secretKeyAccount(PAYER_KEY).sign(message)
  const signatures = Array.from({ length: signers }, (_, slot) => (slot === 1 ? signature : undefined))
  const payload = { transaction: encodeBase64(encodeTransaction(signatures, message)) }
  return { x402Version: 2, scheme: 'exact', network: offer.network, accepted: offer, payload }
}
