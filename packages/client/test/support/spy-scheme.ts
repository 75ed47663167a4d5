import {
  assetByAddress,
  evmAssets,
  type JsonObject,
  type PaymentRequirements,
  paymentId,
  type SchemeClient,
} from '@groat/core'

export const PAYER = '0x2222222222222222222222222222222222222222'

/** What the wallet was made to sign. */
export type Signature = {
  readonly offer: PaymentRequirements
  readonly amount: bigint
  readonly allowance: bigint
  readonly expiresAt: number
  readonly nonce: string
}

/** A payer's half of `exact` on EVM that signs nothing real and remembers everything that it was asked to sign. */
export type SpyScheme = SchemeClient & { readonly signed: Signature[] }

/** Replaces parts of the spy's behaviour. */
export type SpyOptions = {
  readonly sign?: (payload: JsonObject) => Promise<JsonObject>
  readonly clamps?: boolean
  readonly name?: string
  readonly amount?: (offer: PaymentRequirements) => bigint
  /** What contracts are let take beside it; told what the policy lets be approved. */
  readonly allowance?: (amount: bigint, most: bigint | undefined) => bigint
  /** The key is in this process. */
  readonly local?: boolean
}

export function spyScheme({
  sign = async (payload) => payload,
  clamps = true,
  name = 'exact',
  amount,
  allowance = () => 0n,
  local = false,
}: SpyOptions = {}) {
  const signed: Signature[] = []
  const half: SpyScheme = {
    signed,
    scheme: { name, family: 'eip155' },
    payer: (network) => (network.startsWith('eip155:') ? PAYER : undefined),
    assets: evmAssets,
    asset: (offer) => assetByAddress(offer.network, offer.asset),
    prepare(offer, { clock, random, maxLifetimeSeconds, maxAllowance }) {
      const lifetime = clamps ? Math.min(offer.maxTimeoutSeconds, maxLifetimeSeconds) : offer.maxTimeoutSeconds
      const expiresAt = Math.floor(clock() / 1000) + lifetime
      const nonce = `0x${Buffer.from(random(32)).toString('hex')}`
      const value = amount?.(offer) ?? offer.amount
      const granted = allowance(value, maxAllowance)
      const authorization = {
        from: PAYER,
        to: offer.payTo,
        value: value.toString(),
        validAfter: '0',
        validBefore: expiresAt.toString(),
        nonce,
      }
      return {
        ok: true,
        pid: paymentId([offer.network, offer.asset, PAYER, nonce, name]),
        payer: PAYER,
        amount: value,
        allowance: granted,
        expiresAt,
        preview: authorization,
        ...(local && { local }),
        async sign() {
          signed.push({ offer, amount: value, allowance: granted, expiresAt, nonce })
          return sign({ signature: `0x${'11'.repeat(65)}`, authorization })
        },
      }
    },
  }
  return half
}
