import { type OfferTerms, type PaymentRequirements, type SchemeServer, X402Error } from '@groat/core'
import { formatAddress, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { isPayable } from '../exact/terms.js'
import { announcements } from '../sponsoring/announcement.js'
import { uptoOnEvm } from './identity.js'
import { inspectUpto } from './shared.js'

/** Seconds below which a payment could expire between the answer of the wallet and the block. */
const SHORTEST_TIMEOUT_SECONDS = 15

/**
 * Sells for `upto` payments on EVM chains by Permit2: the offer's amount is a ceiling, and the work says with `payment.charge(amount)` what of
 * it is charged. Who may settle is taken from what the facilitator says of itself, or from `extra.facilitatorAddress`; until one of them
 * is known an offer cannot be paid.
 *
 * `offer` throws `X402Error` `invalid_network`, `unknown_asset`, `unsupported_transfer_method`, `invalid_pay_to`, `unsupported_offer` (a facilitator
 * that names no account) and `invalid_config` (a `maxTimeoutSeconds` below 15). `inspect` refuses whatever payment, offer and clock can show
 * to be bad.
 *
 * @example
 * const offer = uptoEvm.offer({ network: network('base'), asset, amount: 50_000n, payTo, maxTimeoutSeconds: 60, kind })
 */
export const uptoEvm: SchemeServer = {
  scheme: uptoOnEvm,
  offersNeedFacilitator: true,
  metered: true,
  announces: announcements,
  offer,
  inspect: inspectUpto,
}

function offer({
  network,
  asset,
  amount,
  payTo,
  maxTimeoutSeconds,
  extra = {},
  kind,
}: OfferTerms): PaymentRequirements {
  if (chainIdOf(network) === undefined) throw new X402Error('invalid_network', { network })
  const token = parseAddress(asset.address)
  if (token === undefined) throw new X402Error('unknown_asset', { network, asset: asset.address })
  if ((extra.assetTransferMethod ?? 'permit2') !== 'permit2') {
    throw new X402Error('unsupported_transfer_method', { network, asset: asset.symbol })
  }
  const payee = parseAddress(payTo)
  if (payee === undefined || !isPayable(payTo, token)) throw new X402Error('invalid_pay_to', { network, payTo })
  if (!(maxTimeoutSeconds >= SHORTEST_TIMEOUT_SECONDS)) {
    throw new X402Error('invalid_config', { maxTimeoutSeconds, atLeast: SHORTEST_TIMEOUT_SECONDS })
  }
  const facilitatorAddress = extra.facilitatorAddress ?? kind?.extra?.facilitatorAddress
  if (facilitatorAddress === undefined && kind !== undefined) {
    throw new X402Error('unsupported_offer', { scheme: uptoOnEvm.name, network, missing: 'extra.facilitatorAddress' })
  }
  return {
    scheme: uptoOnEvm.name,
    network,
    amount,
    asset: formatAddress(token),
    payTo: formatAddress(payee),
    maxTimeoutSeconds,
    extra: {
      ...(asset.domain === undefined ? {} : { name: asset.domain.name, version: asset.domain.version }),
      ...extra,
      assetTransferMethod: 'permit2',
      ...(facilitatorAddress === undefined ? {} : { facilitatorAddress }),
    },
  }
}
