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
import { formatHex } from '../hex.js'
import { EXACT_PERMIT2_PROXY } from '../permit2/contracts.js'
import type { PermitTransfer } from '../permit2/signing.js'
import { signWith } from '../sign.js'
import { type AllowanceNodes, withAllowance } from '../sponsoring/paying.js'
import { type ExactEvmClientOptions, exactEvm } from './client.js'
import { exactOnEvm } from './eip3009.js'
import { type ExactWitness, exactPermit, permit2Id } from './permit2.js'

export { type EvmAccount, type KeyAccount, privateKeyAccount, type TypedData, type WalletAccount } from '../account.js'

/** What the payer's half needs. */
export type ExactEvmWithPermit2Options = ExactEvmClientOptions & {
  /**
   * Nodes to ask what Permit2 is allowed to take, by network. A payment that could not settle is then not signed, and where the seller announces gas
   * sponsoring, what Permit2 lacks is signed along. Without a node Permit2 is taken to be approved.
   */
  readonly rpc?: AllowanceNodes
}

/**
 * Pays `exact` offers on EVM chains by EIP-3009, as `exactEvm` does, and by Permit2 where the offer names it. A module of its own, so that
 * pages that do not need Permit2 do not load it.
 *
 * By Permit2, `prepare` refuses `asset_not_known`, `invalid_network`, `invalid_payment_requirements` and, where a node can be asked,
 * `permit2_allowance_required` and `payment_unresolved` (open payments may take what is allowed); a node that cannot be reached is thrown
 * (`rpc_unreachable`, …). `sign` throws `signer_failed` and `payment_in_flight` (nothing was signed: another payment was faster).
 *
 * @example
 * const scheme = exactEvmWithPermit2({ account, rpc: { [network('base')]: 'https://mainnet.base.org' } })
 */
export function exactEvmWithPermit2({ rpc = {}, ...options }: ExactEvmWithPermit2Options): SchemeClient {
  const { account, assets = [], engine = nobleSigningEngine } = options
  const byAuthorization = exactEvm({ account, assets, engine })
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('no address')
  const known = [...assets, ...evmAssets]
  const half: SchemeClient = {
    ...byAuthorization,
    assets: evmAssets,
    prepare(offer, context) {
      if (!isByPermit2(offer)) return byAuthorization.prepare(offer, context)
      const asset = findAsset(known, offer.network, offer.asset)
      if (asset === undefined) return refuse('asset_not_known')
      const payment = decide(offer, context)
      return 'ok' in payment ? payment : prepared({ ...payment, asset, payer, account, engine })
    },
  }
  const through = (offer: PaymentRequirements) => (isByPermit2(offer) ? offer.amount : 0n)
  return withAllowance(half, { account, assets, engine, rpc, through })
}

const isByPermit2 = ({ extra }: PaymentRequirements): boolean => extra.assetTransferMethod === 'permit2'

type Decided = { readonly chainId: bigint; readonly transfer: PermitTransfer; readonly witness: ExactWitness }

function decide(offer: PaymentRequirements, { clock, random, maxLifetimeSeconds }: PrepareContext): Decided | Refusal {
  const chainId = chainIdOf(offer.network)
  if (chainId === undefined) return refuse('invalid_network')
  const token = parseAddress(offer.asset)
  if (token === undefined) return refuse('invalid_payment_requirements', 'asset')
  const to = parseAddress(offer.payTo)
  if (to === undefined) return refuse('invalid_payment_requirements', 'payTo')
  const lifetime = Math.floor(Math.min(offer.maxTimeoutSeconds, maxLifetimeSeconds))
  const transfer = {
    token,
    amount: offer.amount,
    spender: EXACT_PERMIT2_PROXY,
    nonce: BigInt(formatHex(random(32))),
    deadline: BigInt(Math.floor(clock() / 1000) + lifetime),
  }
  // The clock of a block may be old.
  return { chainId, transfer, witness: { to, validAfter: 0n } }
}

type Whole = Decided & {
  readonly asset: Asset
  readonly payer: Address
  readonly account: EvmAccount
  readonly engine: SigningEngine
}

function prepared({ chainId, transfer, witness, asset, payer, account, engine }: Whole): PreparedPayment {
  const { network, symbol, address: token } = asset
  const { amount, nonce, deadline } = transfer
  const permit2Authorization: JsonObject = {
    from: account.address,
    permitted: { token, amount: amount.toString() },
    spender: formatAddress(transfer.spender),
    nonce: nonce.toString(),
    deadline: deadline.toString(),
    witness: { to: formatAddress(witness.to), validAfter: witness.validAfter.toString() },
  }
  return {
    ok: true,
    pid: permit2Id(network, payer, nonce, exactOnEvm.name),
    payer,
    amount,
    allowance: amount,
    expiresAt: Number(deadline),
    preview: { network, asset: symbol, token, permit2Authorization },
    ...locality(account),
    sign: async () => ({
      signature: await signWith(account, {
        digest: () => exactPermit.digest(engine, chainId, transfer, witness),
        typedData: () => exactPermit.typedData(chainId, transfer, witness),
      }),
      permit2Authorization,
    }),
  }
}
