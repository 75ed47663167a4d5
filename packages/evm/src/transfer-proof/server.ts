import { type OfferTerms, type PaymentRequirements, refuse, type SchemeServer, X402Error } from '@groat/core'
import { formatAddress, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import type { ContractWallets } from '../contract-wallets.js'
import { nobleEngine } from '../crypto/noble.js'
import { isPayable } from '../exact/terms.js'
import { transferProofDigest, transferProofOnEvm } from './proof.js'
import { inspectProof, isSignedByKey, readProof } from './shared.js'

export { type ProofChains, type TransferProofOptions, withTransferProofs } from './chain-proof.js'

/**
 * Sells for transfers that were made before: the buyer sends the token as one sends money to anybody, and presents the transaction with a word
 * of the sending account on what it was for. An opt-in offer of a route (`offers: [{}, { scheme: 'transfer-proof' }]`); the facilitator that is
 * given to the paywall has to be one `withTransferProofs`.
 *
 * What one claim store does not know of another could be sold by both: all shops that are paid to one account by proofs share one store, and the account
 * takes no money for anything else (EVM-PROOF-012).
 *
 * `offer` throws `X402Error` `invalid_network`, `unknown_asset`, `invalid_pay_to`, `invalid_config`. `inspect` refuses what `inspectProof` does.
 *
 * @example
 * paywall({ schemes: [exactEvm, transferProof], facilitator: withTransferProofs(facilitator, { chains: { base: rpcUrl } }) })
 */
export const transferProof: SchemeServer = {
  scheme: transferProofOnEvm,
  offer,
  inspect: (payment, offer, now) => inspectProof(nobleEngine, payment, offer, now),
}

/**
 * The same, also for senders that are contracts: their wallets are asked about signatures (ERC-1271; the envelope of ERC-6492 is opened) before anything is
 * claimed, so that nobody holds up a transfer that is not theirs (EVM-PROOF-014). What a wallet refuses is `invalid_transfer_proof_signature`.
 *
 * @example
 * const transferProof = createTransferProof({ wallets: contractWallets({ 'eip155:8453': rpcUrl }) })
 */
export function createTransferProof({ wallets }: { readonly wallets: ContractWallets }): SchemeServer {
  return {
    ...transferProof,
    inspect: (payment, offer, now) => inspectProof(nobleEngine, payment, offer, { ...now, byContract: true }),
    async vouch(payment, offer) {
      const read = readProof(payment, offer)
      if (!read.ok) return read
      if (isSignedByKey(nobleEngine, read)) return undefined
      const { proof, signature } = read
      const digest = transferProofDigest(nobleEngine, read, proof)
      const isTheirs = await wallets.accepts({ network: offer.network, address: proof.from, digest, signature })
      return isTheirs ? undefined : refuse('invalid_transfer_proof_signature')
    },
  }
}

function offer({ network, asset, amount, payTo, maxTimeoutSeconds, extra = {} }: OfferTerms): PaymentRequirements {
  if (chainIdOf(network) === undefined) throw new X402Error('invalid_network', { network })
  const token = parseAddress(asset.address)
  if (token === undefined) throw new X402Error('unknown_asset', { network, asset: asset.address })
  const payee = parseAddress(payTo)
  if (payee === undefined || !isPayable(payTo, token)) throw new X402Error('invalid_pay_to', { network, payTo })
  if (amount < 1n) throw new X402Error('invalid_config', { amount, reason: 'nothing is no price' })
  return {
    scheme: transferProofOnEvm.name,
    network,
    amount,
    asset: formatAddress(token),
    payTo: formatAddress(payee),
    maxTimeoutSeconds,
    extra,
  }
}
