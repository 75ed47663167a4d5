import {
  type Asset,
  evmAssets,
  findAsset,
  type Json,
  type Network,
  type PaymentRequirements,
  type PrepareContext,
  type PreparedPayment,
  paymentId,
  type Refusal,
  refuse,
  type SchemeClient,
  X402Error,
} from '@groat/core'
import { type Address, formatAddress, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import { exactOnEvm } from './eip3009.js'
import { delegationId } from './erc7710.js'
import { isPayable } from './terms.js'

/** One payment, as whoever permits it has to see it. */
export type DelegatedPayment = {
  readonly network: Network
  readonly chainId: bigint
  readonly token: Address
  readonly payTo: Address
  /** Atomic units: exactly what may move. */
  readonly amount: bigint
  /** Seconds since 1970 after which nothing may move. */
  readonly expiresAt: number
  /** Who will redeem it, as far as the offer says so; empty: anybody may. */
  readonly redeemers: readonly Address[]
  /** 32 random bytes, so that no permission is like another. */
  readonly salt: Hex
}

/** Somebody who may spend an account's money by delegation (ERC-7710): the owner's own key, or a session key that the owner has delegated to. */
export interface DelegatedAccount {
  /** Whose money it is. */
  readonly delegator: Hex
  /** The contract that the delegator's account obeys. */
  readonly delegationManager: Hex
  /** Seconds since 1970 after which nothing can be permitted any more, where there is such an end. */
  readonly expiresAt?: number
  /** Why a payment is not permitted, as far as that can be said before anything is signed. */
  allows?(payment: DelegatedPayment): Refusal | undefined
  /**
   * Makes the permission for one payment, in the form of the manager: a signed delegation, or a chain of them. It must be for this payment alone
   * (token, recipient, amount, end, salt): whoever gets it can redeem all that it allows.
   */
  permit(payment: DelegatedPayment): Promise<Hex>
}

/** What the payer's half needs. */
export type ExactEvmByDelegationOptions = {
  readonly account: DelegatedAccount
  /** Tokens besides the default ones, and before them. */
  readonly assets?: readonly Asset[]
}

/**
 * Pays `exact` offers on EVM chains by delegation (ERC-7710), and no others (EVM-EXACT-150, 151).
 *
 * The payment's identity is that of its permission, which is made in `sign` and no sooner: before it, `pid` names the plan. `prepare` refuses `asset_not_known`, `invalid_network`, `unsupported_transfer_method`, `invalid_payment_requirements` and, where the offer lists
 * managers, `erc7710_manager_not_allowed`, and where the account's time is over `lifetime_over_limit`, and what the account does not allow; `sign` throws `X402Error` `signer_failed`. Throws a `TypeError` when the account has no addresses.
 *
 * @example
 * const scheme = exactEvmByDelegation({ account: { delegator, delegationManager, permit: (payment) => sessionKey.redelegate(payment) } })
 */
export function exactEvmByDelegation({ account, assets = [] }: ExactEvmByDelegationOptions): SchemeClient {
  const delegator = parseAddress(account.delegator)
  const manager = parseAddress(account.delegationManager)
  if (delegator === undefined || manager === undefined) throw new TypeError('the account has no addresses')
  const known = [...assets, ...evmAssets]
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)

  return {
    scheme: exactOnEvm,
    payer: (network) => (chainIdOf(network) === undefined ? undefined : delegator),
    assets: evmAssets,
    asset: assetOf,
    prepare(offer, context): PreparedPayment | Refusal {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const payment = decide(delegator, manager, offer, context, account.expiresAt)
      if ('ok' in payment) return payment
      const refusal = account.allows?.(payment)
      if (refusal !== undefined) return refusal
      const places = { delegationManager: formatAddress(manager), delegator: formatAddress(delegator) }
      const { network, symbol, address: token } = asset
      const { amount, expiresAt, payTo, salt } = payment
      let pid = paymentId([network, manager, delegator, salt, exactOnEvm.name])
      return {
        ok: true,
        pid,
        payer: delegator,
        amount,
        allowance: amount,
        expiresAt,
        // Without the permission: whoever reads it could redeem it.
        preview: { network, asset: symbol, token, payTo: formatAddress(payTo), amount: amount.toString(), ...places },
        async sign() {
          const permissionContext = await permissionFor(account, payment)
          pid = delegationId(network, { manager, delegator, context: permissionContext })
          const { delegationManager, delegator: owner } = places
          return { delegationManager, permissionContext, delegator: owner }
        },
        signedPid: () => pid,
      }
    },
  }
}

function decide(
  delegator: Address,
  manager: Address,
  { network, asset, amount, payTo, extra, maxTimeoutSeconds }: PaymentRequirements,
  { clock, random, maxLifetimeSeconds }: PrepareContext,
  end = Number.POSITIVE_INFINITY,
): DelegatedPayment | Refusal {
  const chainId = chainIdOf(network)
  if (chainId === undefined) return refuse('invalid_network')
  if (extra.assetTransferMethod !== 'erc7710') return refuse('unsupported_transfer_method')
  const token = parseAddress(asset)
  if (token === undefined) return refuse('invalid_payment_requirements', 'asset')
  const to = parseAddress(payTo)
  if (to === undefined || to === delegator || !isPayable(payTo, token)) {
    return refuse('invalid_payment_requirements', 'payTo')
  }
  const managers = addressesOf(extra.delegationManagers)
  if (managers !== undefined && !managers.includes(manager)) return refuse('erc7710_manager_not_allowed')
  const now = Math.floor(clock() / 1000)
  if (end <= now) return refuse('lifetime_over_limit', 'expiresAt')
  const lifetime = Math.floor(Math.min(maxTimeoutSeconds, maxLifetimeSeconds))
  return {
    ...{ network, chainId, token, payTo: to, amount },
    expiresAt: Math.min(now + lifetime, end),
    redeemers: addressesOf(extra.facilitators) ?? [],
    salt: formatHex(random(32)),
  }
}

function addressesOf(list: Json | undefined): readonly Address[] | undefined {
  if (!Array.isArray(list)) return undefined
  return list.flatMap((each) => (typeof each === 'string' ? (parseAddress(each) ?? []) : []))
}

async function permissionFor(account: DelegatedAccount, payment: DelegatedPayment): Promise<Hex> {
  try {
    const bytes = parseHex(await account.permit(payment))
    if (bytes === undefined || bytes.length === 0) throw new TypeError('no permission')
    return formatHex(bytes)
  } catch (cause) {
    throw new X402Error('signer_failed', { payer: account.delegator }, { cause })
  }
}
