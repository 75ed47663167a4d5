import {
  type Asset,
  eip3009Assets,
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
import { signWith } from '../sign.js'
import {
  type Authorization,
  authorizationDigest,
  authorizationId,
  authorizationTypedData,
  exactOnEvm,
  type TokenDomain,
} from './eip3009.js'

export { type EvmAccount, type KeyAccount, privateKeyAccount, type TypedData, type WalletAccount } from '../account.js'

/** What the payer's half needs. */
export type ExactEvmClientOptions = {
  /** Whose money it is: a viem account, a browser wallet, or `privateKeyAccount(key)`. */
  readonly account: EvmAccount
  /** Tokens besides the default ones, and before them. Their EIP-712 domains are the ones that are signed under. */
  readonly assets?: readonly Asset[]
  /** Hashes for an account that signs digests; `nobleSigningEngine` unless told, `await loadEngine()` where many are signed. */
  readonly engine?: SigningEngine
}

/** The payer's half. Nothing has to be asked before a signature, so it decides at once. */
export interface ExactEvmClient extends SchemeClient {
  prepare(offer: PaymentRequirements, context: PrepareContext): PreparedPayment | Refusal
}

/**
 * Pays `exact` offers on EVM chains by EIP-3009. It signs the payer's own knowledge of the token: an offer that names
 * another EIP-712 domain than the registry is refused, never followed.
 *
 * `prepare` refuses `asset_not_known`, `domain_mismatch`, `unsupported_transfer_method`, `invalid_network`,
 * `invalid_payment_requirements` and `invalid_exact_evm_missing_eip712_domain`; `sign` throws `signer_failed`.
 * Throws a `TypeError` when the account has no address.
 *
 * @example
 * const scheme = exactEvm({ account: privateKeyAccount(process.env.KEY) })
 */
export function exactEvm({ account, assets = [], engine = nobleSigningEngine }: ExactEvmClientOptions): ExactEvmClient {
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('no address')
  const known = [...assets, ...eip3009Assets]
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)

  return {
    scheme: exactOnEvm,
    payer: (network) => (chainIdOf(network) === undefined ? undefined : account.address),
    assets: eip3009Assets,
    asset: assetOf,
    prepare(offer, context) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const domain = domainOf(asset, offer)
      if ('ok' in domain) return domain
      const authorization = authorize(payer, offer, context)
      if ('ok' in authorization) return authorization
      return prepared(asset, domain, authorization, account, engine)
    },
  }
}

/** The domain to sign under: ours, and only if the offer says the same. */
function domainOf(asset: Asset, { network, extra }: PaymentRequirements): TokenDomain | Refusal {
  const chainId = chainIdOf(network)
  if (chainId === undefined) return refuse('invalid_network')
  const method = extra.assetTransferMethod ?? asset.transfer
  if (method !== 'eip3009' || asset.domain === undefined) return refuse('unsupported_transfer_method')
  if (extra.name === undefined || extra.version === undefined) return refuse('invalid_exact_evm_missing_eip712_domain')
  const { name, version } = asset.domain
  if (extra.name !== name || extra.version !== version) return refuse('domain_mismatch')
  const verifyingContract = parseAddress(asset.address)
  return verifyingContract
    ? { name, version, chainId, verifyingContract }
    : refuse('invalid_payment_requirements', 'asset')
}

function authorize(
  from: Address,
  offer: PaymentRequirements,
  { clock, random, maxLifetimeSeconds }: PrepareContext,
): Authorization | Refusal {
  const to = parseAddress(offer.payTo)
  if (to === undefined) return refuse('invalid_payment_requirements', 'payTo')
  const lifetime = Math.floor(Math.min(offer.maxTimeoutSeconds, maxLifetimeSeconds))
  return {
    from,
    to,
    value: offer.amount,
    // The token compares strictly, and with the clock of a block that may be old.
    validAfter: 0n,
    validBefore: BigInt(Math.floor(clock() / 1000) + lifetime),
    nonce: formatHex(random(32)),
  }
}

function prepared(
  { network, symbol, address: token }: Asset,
  domain: TokenDomain,
  authorization: Authorization,
  account: EvmAccount,
  engine: SigningEngine,
): PreparedPayment {
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const wire: JsonObject = {
    from: account.address,
    to,
    value: value.toString(),
    validAfter: validAfter.toString(),
    validBefore: validBefore.toString(),
    nonce,
  }
  return {
    ok: true,
    pid: authorizationId(network, domain.verifyingContract, authorization),
    payer: from,
    amount: value,
    allowance: 0n,
    expiresAt: Number(validBefore),
    preview: { network, asset: symbol, token, authorization: wire },
    ...locality(account),
    sign: async () => ({
      signature: await signWith(account, {
        digest: () => authorizationDigest(engine, domain, authorization),
        typedData: () => authorizationTypedData(domain, authorization),
      }),
      authorization: wire,
    }),
  }
}
