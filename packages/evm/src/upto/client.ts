import {
  type Asset,
  evmAssets,
  findAsset,
  type JsonObject,
  type PaymentRequirements,
  type PrepareContext,
  type PreparedPayment,
  type Refusal,
  refuse,
  type SchemeClient,
} from '@groat/core'
import { type EvmAccount, locality } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex } from '../hex.js'
import { UPTO_PERMIT2_PROXY } from '../permit2/contracts.js'
import { signWith } from '../sign.js'
import { type UptoAuthorization, uptoDigest, uptoId, uptoTypedData } from './authorization.js'
import { uptoOnEvm } from './identity.js'

export { type EvmAccount, type KeyAccount, privateKeyAccount, type TypedData, type WalletAccount } from '../account.js'

/** What the payer's half needs. */
export type UptoEvmClientOptions = {
  /** Whose money it is. It must have let Permit2 take the token. */
  readonly account: EvmAccount
  /** Tokens besides the default ones, and before them. */
  readonly assets?: readonly Asset[]
  /** Hashes for an account that signs digests; `nobleSigningEngine` unless told, `await loadEngine()` where many are signed. */
  readonly engine?: SigningEngine
}

/** The payer's half. Nothing has to be asked before a signature, so it decides at once. */
export interface UptoEvmClient extends SchemeClient {
  prepare(offer: PaymentRequirements, context: PrepareContext): PreparedPayment | Refusal
}

/**
 * Pays `upto` offers on EVM chains by Permit2: it signs a ceiling, to one recipient, that one facilitator may take any part of, once
 * (EVM-UPTO-010 to 015). A policy's limit holds the ceiling.
 *
 * `prepare` refuses `asset_not_known`, `unsupported_transfer_method`, `invalid_network`, `invalid_payment_requirements` and
 * `payer_is_facilitator`; `sign` throws `signer_failed`. Throws a `TypeError` when the account has no address.
 *
 * @example
 * const scheme = uptoEvm({ account: privateKeyAccount(process.env.KEY) })
 */
export function uptoEvm({ account, assets = [], engine = nobleSigningEngine }: UptoEvmClientOptions): UptoEvmClient {
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('the account has no address')
  const known = [...assets, ...evmAssets]
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)

  return {
    scheme: uptoOnEvm,
    payer: (network) => (chainIdOf(network) === undefined ? undefined : account.address),
    asset: assetOf,
    prepare(offer, context) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const chainId = chainIdOf(offer.network)
      if (chainId === undefined) return refuse('invalid_network')
      if ((offer.extra.assetTransferMethod ?? 'permit2') !== 'permit2') return refuse('unsupported_transfer_method')
      const authorization = authorize(payer, offer, context)
      if ('ok' in authorization) return authorization
      const wire = wireOf(account.address, authorization)
      return {
        ok: true,
        pid: uptoId(asset.network, authorization),
        payer,
        amount: authorization.amount,
        allowance: authorization.amount,
        expiresAt: Number(authorization.deadline),
        preview: { network: asset.network, asset: asset.symbol, token: asset.address, permit2Authorization: wire },
        ...locality(account),
        sign: async () => ({
          signature: await signWith(account, {
            digest: () => uptoDigest(engine, chainId, authorization),
            typedData: () => uptoTypedData(chainId, authorization),
          }),
          permit2Authorization: wire,
        }),
      }
    },
  }
}

function authorize(
  from: Address,
  { payTo, asset, amount, extra, maxTimeoutSeconds }: PaymentRequirements,
  { clock, random, maxLifetimeSeconds }: PrepareContext,
): UptoAuthorization | Refusal {
  const token = parseAddress(asset)
  const to = parseAddress(payTo)
  const facilitator = typeof extra.facilitatorAddress === 'string' ? parseAddress(extra.facilitatorAddress) : undefined
  if (token === undefined) return refuse('invalid_payment_requirements', 'asset')
  if (to === undefined || BigInt(to) === 0n) return refuse('invalid_payment_requirements', 'payTo')
  // Nobody can be this account, so nobody could settle.
  if (facilitator === undefined || BigInt(facilitator) === 0n) {
    return refuse('invalid_payment_requirements', 'extra.facilitatorAddress')
  }
  if (facilitator === from) return refuse('payer_is_facilitator')
  const lifetime = Math.floor(Math.min(maxTimeoutSeconds, maxLifetimeSeconds))
  return {
    ...{ from, token, amount, to, facilitator },
    nonce: BigInt(formatHex(random(32))),
    deadline: BigInt(Math.floor(clock() / 1000) + lifetime),
    // A block's clock may be behind.
    validAfter: 0n,
  }
}

function wireOf(from: string, authorization: UptoAuthorization): JsonObject {
  const { token, amount, nonce, deadline, to, facilitator, validAfter } = authorization
  return {
    from,
    permitted: { token, amount: amount.toString() },
    spender: UPTO_PERMIT2_PROXY,
    nonce: nonce.toString(),
    deadline: deadline.toString(),
    witness: { to, facilitator, validAfter: validAfter.toString() },
  }
}
