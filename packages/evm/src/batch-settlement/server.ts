import { type OfferTerms, type PaymentRequirements, type SchemeServer, X402Error } from '@groat/core'
import { formatAddress, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { isPayable } from '../exact/terms.js'
import { announcements } from '../sponsoring/announcement.js'
import { batchOnEvm, WITHDRAW_DELAY } from './identity.js'
import { inspectBatch } from './shared.js'

/** How channels are sold. */
export type BatchEvmServerOptions = {
  /**
   * Whose word claims and refunds need: an account of the seller's own, never the facilitator's (EVM-BATCH-060), nor the one that is paid
   * (EVM-BATCH-003): its key is online. Who has it can pay the receiver what it earned and give payers back what they deposited, and nothing else.
   */
  readonly receiverAuthorizer: string
  /** Seconds that a payer who takes money out alone has to wait: 900, the least, to 2,592,000. Claim far more often than that. */
  readonly withdrawDelay?: number
  readonly engine?: SigningEngine
}

/**
 * Sells for vouchers out of payment channels. The paywall's facilitator must be the one of a channel ledger, which counts what is charged:
 * `createChannelLedger(…).facilitator`. The offer's amount is a ceiling, of which the work may charge less.
 *
 * Throws `X402Error` `invalid_config`; `offer` throws `invalid_network`, `unknown_asset`, `unsupported_transfer_method`, `invalid_pay_to`
 * and `invalid_config`.
 *
 * @example
 * paywall({ facilitator: ledger.facilitator, payTo, schemes: [batchEvm({ receiverAuthorizer })], store })
 */
export function batchEvm(options: BatchEvmServerOptions): SchemeServer {
  const { withdrawDelay = WITHDRAW_DELAY.least, engine = nobleSigningEngine } = options
  const authorizer = parseAddress(options.receiverAuthorizer)
  if (authorizer === undefined || BigInt(authorizer) === 0n) {
    throw new X402Error('invalid_config', { field: 'receiverAuthorizer' })
  }
  if (!Number.isInteger(withdrawDelay) || withdrawDelay < WITHDRAW_DELAY.least || withdrawDelay > WITHDRAW_DELAY.most) {
    throw new X402Error('invalid_config', { field: 'withdrawDelay', value: withdrawDelay })
  }
  return {
    scheme: batchOnEvm,
    metered: true,
    offChain: true,
    announces: announcements,
    inspect: (payment, terms, now) => inspectBatch(engine, payment, terms, now),
    offer({ network, asset, amount, payTo, maxTimeoutSeconds, extra = {} }: OfferTerms): PaymentRequirements {
      if (chainIdOf(network) === undefined) throw new X402Error('invalid_network', { network })
      const token = parseAddress(asset.address)
      if (token === undefined) throw new X402Error('unknown_asset', { network, asset: asset.address })
      const method = extra.assetTransferMethod ?? asset.transfer
      if (method !== 'eip3009' && method !== 'permit2') {
        throw new X402Error('unsupported_transfer_method', { network, asset: asset.symbol })
      }
      const payee = parseAddress(payTo)
      if (payee === undefined || !isPayable(payTo, token)) throw new X402Error('invalid_pay_to', { network, payTo })
      if (payee === authorizer) {
        const reason = 'the account that is paid: the key of an authorizer is online, and that one need not be'
        throw new X402Error('invalid_config', { field: 'receiverAuthorizer', reason })
      }
      return {
        scheme: batchOnEvm.name,
        network,
        amount,
        asset: formatAddress(token),
        payTo: formatAddress(payee),
        maxTimeoutSeconds,
        extra: {
          ...(asset.domain === undefined ? {} : { name: asset.domain.name, version: asset.domain.version }),
          ...extra,
          assetTransferMethod: method,
          receiverAuthorizer: formatAddress(authorizer),
          withdrawDelay,
        },
      }
    },
  }
}
