import { type OfferTerms, type PaymentRequirements, type SchemeServer, X402Error } from '@groat/core'
import { isSvmNetwork } from '../network.js'
import { formatAddress, parseAddress } from '../wire/address.js'
import { sameBytes } from '../wire/bytes.js'
import { exactOnSvm } from './identity.js'
import { inspectExact } from './shared.js'
import { readMemo } from './terms.js'

/** Seconds below which a payment could expire between the answer of the wallet and the block. */
const SHORTEST_TIMEOUT_SECONDS = 15

/** Seconds for which a blockhash is good: promising more would promise nothing. */
const LONGEST_TIMEOUT_SECONDS = 60

/**
 * Sells for `exact` payments on Solana. Who pays the fee is taken from what the facilitator says of itself, or from `extra.feePayer`; until
 * one of them is known an offer cannot be paid.
 *
 * `offer` throws `X402Error` `invalid_network`, `unknown_asset`, `unsupported_transfer_method`, `invalid_pay_to`, `unsupported_offer` (a facilitator
 * that names no fee payer) and `invalid_config` (a `maxTimeoutSeconds` below 15, a memo of more than 256 bytes). `inspect` refuses whatever
 * payment and offer can show to be bad.
 *
 * @example
 * const offer = exactSvm.offer({ network: network('solana'), asset, amount: 1000n, payTo, maxTimeoutSeconds: 60, kind })
 */
export const exactSvm: SchemeServer = {
  scheme: exactOnSvm,
  offersNeedFacilitator: true,
  offer,
  inspect: inspectExact,
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
  if (!isSvmNetwork(network)) throw new X402Error('invalid_network', { network })
  const mint = parseAddress(asset.address)
  if (mint === undefined) throw new X402Error('unknown_asset', { network, asset: asset.address })
  if (asset.transfer !== 'spl' && asset.transfer !== 'spl-2022') {
    throw new X402Error('unsupported_transfer_method', { network, asset: asset.symbol })
  }
  const payee = parseAddress(payTo)
  if (payee === undefined || sameBytes(payee, mint)) throw new X402Error('invalid_pay_to', { network, payTo })
  if (!(maxTimeoutSeconds >= SHORTEST_TIMEOUT_SECONDS)) {
    throw new X402Error('invalid_config', { maxTimeoutSeconds, atLeast: SHORTEST_TIMEOUT_SECONDS })
  }
  if (readMemo(extra) === 'malformed') throw new X402Error('invalid_config', { memo: '1 to 256 bytes of text' })
  const feePayer = extra.feePayer ?? kind?.extra?.feePayer
  if (feePayer === undefined && kind !== undefined) {
    throw new X402Error('unsupported_offer', { scheme: exactOnSvm.name, network, missing: 'extra.feePayer' })
  }
  return {
    scheme: exactOnSvm.name,
    network,
    amount,
    asset: formatAddress(mint),
    payTo: formatAddress(payee),
    maxTimeoutSeconds: Math.min(maxTimeoutSeconds, LONGEST_TIMEOUT_SECONDS),
    extra: {
      ...(kind?.extra?.features === undefined ? {} : { features: kind.extra.features }),
      ...extra,
      ...(feePayer === undefined ? {} : { feePayer }),
    },
  }
}
