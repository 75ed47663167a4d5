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
import { type Address, formatAddress, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex, type Hex } from '../hex.js'
import { signWith } from '../sign.js'
import { type HoldTerms, readHoldTerms } from './hold-terms.js'
import { authCaptureOnEvm, NOBODY } from './identity.js'
import { authCaptureId, boundSalt, type PaymentInfo, paymentInfoHash, signatureNonce } from './payment-info.js'
import { collectorOf, tokenAuthorization } from './token-authorization.js'

export { type EvmAccount, type KeyAccount, privateKeyAccount, type TypedData, type WalletAccount } from '../account.js'
export { reclaimCall } from './escrow.js'
export type { PaymentInfo } from './payment-info.js'

/** What the payer's half needs. */
export type AuthCaptureEvmClientOptions = {
  /** Whose money it is. By Permit2 it must have let Permit2 take the token. */
  readonly account: EvmAccount
  /** Tokens besides the default ones, and before them. */
  readonly assets?: readonly Asset[]
  /** Seconds for which money may be held before the payer can take it back alone; 30 days unless told. */
  readonly maxHoldSeconds?: number
  /** Hashes for an account that signs digests; `nobleSigningEngine` unless told, `await loadEngine()` where many are signed. */
  readonly engine?: SigningEngine
}

/** The payer's half. Nothing has to be asked before a signature, so it decides at once. */
export interface AuthCaptureEvmClient extends SchemeClient {
  prepare(offer: PaymentRequirements, context: PrepareContext): PreparedAuthCapture | Refusal
}

/** A payment that is decided, and what to know of it to take the money back. */
export type PreparedAuthCapture = PreparedPayment & {
  /** For `reclaimCall`, from its `authorizationExpiry` on. */
  readonly paymentInfo: PaymentInfo
}

/**
 * Pays `auth-capture` offers on EVM chains, by EIP-3009 and by Permit2: it signs that the money may go into escrow, for one recipient, until one time
 * (EVM-CAPTURE-010 to 016). A policy's limit holds the whole amount. Only the escrow of edition 1.1 is trusted.
 *
 * `prepare` refuses `asset_not_known`, `domain_mismatch`, `payer_is_facilitator`, `invalid_auth_capture_evm_deadline_ordering` (a hold that is
 * too long, or too short for what is signed) and what `readHoldTerms` refuses; `sign` throws `signer_failed`. Throws a `TypeError` when the account has no
 * address.
 *
 * @example
 * const scheme = authCaptureEvm({ account: privateKeyAccount(process.env.KEY), maxHoldSeconds: 7 * 86_400 })
 */
export function authCaptureEvm(options: AuthCaptureEvmClientOptions): AuthCaptureEvmClient {
  const { account, assets = [], maxHoldSeconds = 30 * 86_400, engine = nobleSigningEngine } = options
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('the account has no address')
  const known = [...assets, ...evmAssets]
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)

  return {
    scheme: authCaptureOnEvm,
    flows: ['escrow'],
    payer: (network) => (chainIdOf(network) === undefined ? undefined : account.address),
    asset: assetOf,
    prepare(offer, context) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const terms = readHoldTerms(offer)
      if (!terms.ok) return terms
      const refusal = judge(payer, asset, terms)
      if (refusal) return refusal
      const hold = decide(engine, payer, terms, offer, { ...context, maxHoldSeconds })
      if ('ok' in hold) return hold
      return prepared(account, engine, asset, terms, hold)
    },
  }
}

/** The domain to sign under is ours, and only if the offer says the same. */
function judge(payer: Address, asset: Asset, { operator, method, domain }: HoldTerms): Refusal | undefined {
  if (operator === payer) return refuse('payer_is_facilitator')
  if (method === 'permit2') return undefined
  if (asset.domain === undefined) return refuse('unsupported_transfer_method')
  const isSame = asset.domain.name === domain.name && asset.domain.version === domain.version
  return isSame ? undefined : refuse('domain_mismatch')
}

type Hold = { readonly info: PaymentInfo; readonly saltNonce: Hex | undefined }

function decide(
  engine: SigningEngine,
  payer: Address,
  terms: HoldTerms,
  { maxTimeoutSeconds }: PaymentRequirements,
  { clock, random, maxLifetimeSeconds, maxHoldSeconds }: PrepareContext & { readonly maxHoldSeconds: number },
): Hold | Refusal {
  const now = Math.floor(clock() / 1000)
  const preApprovalExpiry = BigInt(now + Math.floor(Math.min(maxTimeoutSeconds, maxLifetimeSeconds)))
  const { captureDeadline, receiverAuthorizer } = terms
  if (preApprovalExpiry > captureDeadline || captureDeadline > BigInt(now + Math.floor(maxHoldSeconds))) {
    return refuse('invalid_auth_capture_evm_deadline_ordering')
  }
  const fresh = formatHex(random(32))
  const saltNonce = receiverAuthorizer === NOBODY ? undefined : fresh
  const salt = saltNonce ? boundSalt(engine, { receiverAuthorizer, policy: NOBODY }, saltNonce) : fresh
  const info: PaymentInfo = {
    ...{ operator: terms.operator, payer, receiver: terms.payTo, token: terms.token, maxAmount: terms.amount },
    ...{ preApprovalExpiry, authorizationExpiry: captureDeadline, refundExpiry: terms.refundDeadline },
    ...{ minFeeBps: terms.minFeeBps, maxFeeBps: terms.maxFeeBps, feeReceiver: terms.feeRecipient, salt },
  }
  return { info, saltNonce }
}

function prepared(
  account: EvmAccount,
  engine: SigningEngine,
  { network, symbol, address: token }: Asset,
  { chainId, method, domain, captureDeadline }: HoldTerms,
  { info, saltNonce }: Hold,
): PreparedAuthCapture {
  const nonce = signatureNonce(engine, chainId, info)
  const amount = info.maxAmount.toString()
  const expiry = info.preApprovalExpiry.toString()
  const collector = formatAddress(collectorOf(method))
  const authorization: JsonObject =
    method === 'permit2'
      ? {
          permit2Authorization: {
            from: account.address,
            permitted: { token: formatAddress(info.token), amount },
            spender: collector,
            nonce: BigInt(nonce).toString(),
            deadline: expiry,
          },
        }
      : {
          authorization: {
            ...{ from: account.address, to: collector, value: amount },
            ...{ validAfter: '0', validBefore: expiry, nonce },
          },
        }
  const salts = { salt: info.salt, ...(saltNonce === undefined ? {} : { saltNonce }) }
  const heldUntil = Number(captureDeadline)
  return {
    ok: true,
    pid: authCaptureId(network, paymentInfoHash(engine, chainId, info)),
    payer: info.payer,
    amount: info.maxAmount,
    allowance: info.maxAmount,
    expiresAt: Number(info.preApprovalExpiry),
    preview: { network, asset: symbol, token, receiver: formatAddress(info.receiver), heldUntil, ...authorization },
    paymentInfo: info,
    ...locality(account),
    sign: async () => ({
      ...authorization,
      signature: await signWith(account, tokenAuthorization(engine, { method, domain, info })),
      ...salts,
    }),
  }
}
