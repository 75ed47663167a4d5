import { type OfferTerms, type PaymentRequirements, refuse, type SchemeServer, X402Error } from '@groat/core'
import { isSvmNetwork } from '../network.js'
import { formatAddress, parseAddress } from '../wire/address.js'
import { sameBytes } from '../wire/bytes.js'
import { transferProofOnSvm } from './proof.js'
import { inspectProof, isSigned, readProof } from './shared.js'

export { type ProofChains, type TransferProofOptions, withTransferProofs } from './chain-proof.js'

/**
 * Sells for transfers that were made before: the buyer sends the token as one sends money to anybody, and presents the transaction with a word
 * of the sending account on what it was for. An opt-in offer of a route (`offers: [{}, { scheme: 'transfer-proof' }]`); the facilitator that is
 * given to the paywall has to be one `withTransferProofs`.
 *
 * What one claim store does not know of another could be sold by both: all shops that are paid to one account by proofs share one store, and the account
 * takes no money for anything else (SVM-PROOF-012).
 *
 * `offer` throws `X402Error` `invalid_network`, `unknown_asset`, `invalid_pay_to`, `invalid_config`. `inspect` refuses what `inspectProof` does, `vouch` what is
 * not signed by the sender: `invalid_transfer_proof_signature`.
 *
 * @example
 * paywall({ schemes: [exactSvm, transferProof], facilitator: withTransferProofs(facilitator, { chains: { solana: rpcUrl } }) })
 */
export const transferProof: SchemeServer = {
  scheme: transferProofOnSvm,
  offer,
  inspect: inspectProof,
  async vouch(payment, offer) {
    const read = readProof(payment, offer)
    if (!read.ok) return read
    return (await isSigned(read)) ? undefined : refuse('invalid_transfer_proof_signature')
  },
}

function offer({ network, asset, amount, payTo, maxTimeoutSeconds, extra = {} }: OfferTerms): PaymentRequirements {
  if (!isSvmNetwork(network)) throw new X402Error('invalid_network', { network })
  const mint = parseAddress(asset.address)
  if (mint === undefined) throw new X402Error('unknown_asset', { network, asset: asset.address })
  const payee = parseAddress(payTo)
  if (payee === undefined || sameBytes(payee, mint)) throw new X402Error('invalid_pay_to', { network, payTo })
  if (amount < 1n) throw new X402Error('invalid_config', { amount, reason: 'nothing is no price' })
  return {
    scheme: transferProofOnSvm.name,
    network,
    amount,
    asset: formatAddress(mint),
    payTo: formatAddress(payee),
    maxTimeoutSeconds,
    extra,
  }
}
