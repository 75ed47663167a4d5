import {
  type JsonObject,
  type OfferTerms,
  type PaymentRequirements,
  type SchemeServer,
  type SupportedKind,
  X402Error,
} from '@groat/core'
import { formatAddress, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { announcements } from '../sponsoring/announcement.js'
import { exactOnEvm } from './eip3009.js'
import { inspectExact } from './shared.js'
import { isPayable } from './terms.js'

/** Seconds below which a payment could expire between the answer of the wallet and the block. */
const SHORTEST_TIMEOUT_SECONDS = 15

/**
 * Sells for `exact` payments on EVM chains, by EIP-3009 or, for assets that are marked so and where `extra.assetTransferMethod` says so, by
 * Permit2 or by delegation (ERC-7710); for the last, what the facilitator says of its managers goes into the offer.
 *
 * `offer` throws `X402Error` `invalid_network`, `unknown_asset`, `unsupported_transfer_method`, `invalid_pay_to` and
 * `invalid_config` (an amount of nothing, a `maxTimeoutSeconds` below 15). `inspect` refuses whatever payment, offer and clock can show to be bad.
 *
 * @example
 * const offer = exactEvm.offer({ network: network('base'), asset, amount: 1000n, payTo, maxTimeoutSeconds: 60 })
 */
export const exactEvm: SchemeServer = {
  scheme: exactOnEvm,
  offer,
  announces: announcements,
  inspect: inspectExact,
}

function offer(terms: OfferTerms): PaymentRequirements {
  const { network, asset, amount, payTo, maxTimeoutSeconds, extra = {}, kind } = terms
  if (chainIdOf(network) === undefined) throw new X402Error('invalid_network', { network })
  const token = parseAddress(asset.address)
  const method = extra.assetTransferMethod ?? asset.transfer
  if (method !== 'eip3009' && method !== 'permit2' && method !== 'erc7710') {
    throw new X402Error('unsupported_transfer_method', { network, asset: asset.symbol })
  }
  if (token === undefined || (asset.domain === undefined && method === 'eip3009')) {
    throw new X402Error('unknown_asset', { network, asset: asset.address })
  }
  const payee = parseAddress(payTo)
  if (payee === undefined || !isPayable(payTo, token)) throw new X402Error('invalid_pay_to', { network, payTo })
  if (amount < 1n) throw new X402Error('invalid_config', { amount, reason: 'nothing is no price' })
  if (!(maxTimeoutSeconds >= SHORTEST_TIMEOUT_SECONDS)) {
    throw new X402Error('invalid_config', { maxTimeoutSeconds, atLeast: SHORTEST_TIMEOUT_SECONDS })
  }
  return {
    scheme: exactOnEvm.name,
    network,
    amount,
    asset: formatAddress(token),
    payTo: formatAddress(payee),
    maxTimeoutSeconds,
    // Payers read EIP-3009 where nothing is said.
    extra: {
      ...(method === 'erc7710' && redemptionOf(kind)),
      ...extra,
      ...asset.domain,
      ...(method !== 'eip3009' && { assetTransferMethod: method }),
    },
  }
}

/** Through what, and by whom, the facilitator redeems delegations. */
function redemptionOf(kind: SupportedKind | undefined): JsonObject {
  const { facilitators, delegationManagers } = kind?.extra ?? {}
  return {
    ...(facilitators === undefined ? {} : { facilitators }),
    ...(delegationManagers === undefined ? {} : { delegationManagers }),
  }
}
