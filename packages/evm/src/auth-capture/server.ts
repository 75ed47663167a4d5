import {
  type Clock,
  type JsonObject,
  type OfferTerms,
  type PaymentRequirements,
  type SchemeServer,
  systemClock,
  X402Error,
} from '@groat/core'
import { formatAddress, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { isPayable } from '../exact/terms.js'
import { readHoldTerms } from './hold-terms.js'
import { AUTH_CAPTURE_ESCROW, authCaptureOnEvm, NOBODY } from './identity.js'
import { amountOf } from './payment-info.js'
import { inspectAuthCapture } from './shared.js'

/** How money is held. */
export type AuthCaptureEvmServerOptions = {
  /** Whose word captures, voids and refunds need: an account of the seller's own. Without one the facilitator relays none of them. */
  readonly receiverAuthorizer?: string
  /** Seconds for which money is held before the payer can take it back alone; 7 days unless told. Offers are made anew every ten minutes, so it may be up to 20 minutes more. */
  readonly captureSeconds?: number
  /** Seconds from then on in which what was captured can be refunded; 30 days unless told. */
  readonly refundSeconds?: number
  /** `escrow`, held until it is captured, unless told; `authorization`: paid out when it is settled. */
  readonly flow?: 'escrow' | 'authorization'
  readonly clock?: Clock
}

/** Milliseconds after which the deadlines of an offer move on. */
const OFFERS_LAST = 600_000

/** Seconds below which a payment could expire between the answer of the wallet and the block. */
const SHORTEST_TIMEOUT_SECONDS = 15

/**
 * Sells for payments whose money is held in escrow. Who may collect, and for what fee, is taken from what the facilitator says of itself. What becomes of
 * a hold is for `createCaptures` to say; its `facilitator` is the paywall's.
 *
 * `receiverAuthorizer` and times are judged at once: throws `X402Error` `invalid_config`. `offer` throws `invalid_network`, `unknown_asset`,
 * `unsupported_transfer_method`, `invalid_pay_to`, `unsupported_offer` (a facilitator that names no account) and `invalid_config`.
 *
 * @example
 * paywall({ facilitator: captures.facilitator, payTo, schemes: [authCaptureEvm({ receiverAuthorizer: account.address })], store })
 */
export function authCaptureEvm(options: AuthCaptureEvmServerOptions = {}): SchemeServer {
  const { captureSeconds = 7 * 86_400, refundSeconds = 30 * 86_400, flow = 'escrow', clock = systemClock } = options
  const authorizer = parseAddress(options.receiverAuthorizer ?? NOBODY)
  if (authorizer === undefined) throw new X402Error('invalid_config', { field: 'receiverAuthorizer' })
  if (flow === 'authorization' && authorizer === NOBODY) {
    throw new X402Error('invalid_config', { field: 'receiverAuthorizer', reason: 'a charge needs its word' })
  }
  for (const [field, value] of Object.entries({ captureSeconds, refundSeconds })) {
    if (!Number.isSafeInteger(value) || value < 60) throw new X402Error('invalid_config', { field, value })
  }
  return {
    scheme: authCaptureOnEvm,
    offersNeedFacilitator: true,
    offersLast: OFFERS_LAST,
    held: flow === 'escrow',
    inspect: inspectAuthCapture,
    offer(terms) {
      const { network, asset, amount, payTo, maxTimeoutSeconds, extra = {}, kind } = terms
      if (chainIdOf(network) === undefined) throw new X402Error('invalid_network', { network })
      const token = parseAddress(asset.address)
      const method = extra.assetTransferMethod ?? asset.transfer
      if (method !== 'eip3009' && method !== 'permit2') {
        throw new X402Error('unsupported_transfer_method', { network, asset: asset.symbol })
      }
      if (token === undefined) throw new X402Error('unknown_asset', { network, asset: asset.address })
      const payee = parseAddress(payTo)
      if (payee === undefined || !isPayable(payTo, token)) throw new X402Error('invalid_pay_to', { network, payTo })
      if (amount < 1n || amountOf(amount.toString()) === undefined) throw new X402Error('invalid_config', { amount })
      if (!(maxTimeoutSeconds >= SHORTEST_TIMEOUT_SECONDS) || maxTimeoutSeconds * 1000 > OFFERS_LAST) {
        throw new X402Error('invalid_config', { maxTimeoutSeconds, atLeast: SHORTEST_TIMEOUT_SECONDS, atMost: 600 })
      }
      const captureDeadline = ((Math.floor(clock() / OFFERS_LAST) + 2) * OFFERS_LAST) / 1000 + captureSeconds
      const offer: PaymentRequirements = {
        scheme: authCaptureOnEvm.name,
        network,
        amount,
        asset: formatAddress(token),
        payTo: formatAddress(payee),
        maxTimeoutSeconds,
        extra: {
          name: asset.domain?.name ?? asset.symbol,
          version: asset.domain?.version ?? '1',
          ...operatorOf(terms),
          captureDeadline,
          refundDeadline: captureDeadline + refundSeconds,
          ...extra,
          authCaptureEscrow: formatAddress(AUTH_CAPTURE_ESCROW),
          operatorType: 'delegated',
          paymentFlow: flow,
          // What is held is captured by a request of its own.
          ...(flow === 'escrow' ? { captureMode: 'deferred' } : {}),
          ...(authorizer === NOBODY ? {} : { receiverAuthorizer: formatAddress(authorizer) }),
          assetTransferMethod: method,
        },
      }
      // Until the facilitator was asked it cannot be paid, and nobody sees it.
      const read = kind === undefined ? undefined : readHoldTerms(offer)
      if (read?.ok === false)
        throw new X402Error('unsupported_offer', { scheme: offer.scheme, network, reason: read.code })
      return offer
    },
  }
}

/** Who collects, and what it takes for it. */
function operatorOf({ kind, extra = {} }: OfferTerms): JsonObject {
  const { captureAuthorizer, feeRecipient, minFeeBps, maxFeeBps } = { ...kind?.extra, ...extra }
  return {
    ...(captureAuthorizer === undefined ? {} : { captureAuthorizer }),
    feeRecipient: feeRecipient ?? NOBODY,
    minFeeBps: minFeeBps ?? 0,
    maxFeeBps: maxFeeBps ?? 0,
  }
}
