import {
  check,
  type InspectContext,
  type Inspection,
  inspectTransferWord,
  type PaymentPayload,
  type PaymentRequirements,
  parseAtomic,
  type Refusal,
  refuse,
} from '@groat/core'
import { verifySignature } from '../crypto/ed25519.js'
import { isSvmNetwork } from '../network.js'
import { formatAddress, type Key, parseAddress } from '../wire/address.js'
import { decodeBase58, encodeBase58 } from '../wire/base58.js'
import { type TransferProof, transferProofId, transferProofOnSvm, transferProofText } from './proof.js'
import { TransferProofPayload } from './schema.shapes.js'

/** A proof and its terms, read. */
export type ReadProof = {
  readonly ok: true
  readonly proof: TransferProof
  readonly signature: Uint8Array
  readonly from: Key
  readonly mint: Key
  readonly payTo: Key
}

/**
 * Reads a proof against its terms, without a chain and without its signature, which `isSigned` looks at (SVM-PROOF-004, 005, 010). Refuses
 * `no_matching_requirements`, `invalid_network`, `invalid_payload`, `invalid_payment_requirements`, `resource_mismatch` and `payment_expired`.
 *
 * @example
 * const inspection = inspectProof(payment, offer, { now: clock() })
 */
export function inspectProof(payment: PaymentPayload, terms: PaymentRequirements, { now }: InspectContext): Inspection {
  const read = readProof(payment, terms)
  if (!read.ok) return read
  const { proof } = read
  const payer = proof.from
  const { url } = payment.resource ?? {}
  if (url !== undefined && url !== proof.resource) return { ...refuse('resource_mismatch'), payer }
  return inspectTransferWord({ pid: transferProofId(proof), payer, end: Number(proof.validBefore) }, terms, now)
}

/** Whether the sender's key signed what the proof says (SVM-PROOF-003). */
export async function isSigned({ proof, signature, from }: ReadProof): Promise<boolean> {
  return verifySignature(from, signature, new TextEncoder().encode(transferProofText(proof)))
}

/** The parts of a proof, or why it is none for these terms. */
export function readProof(payment: PaymentPayload, terms: PaymentRequirements): ReadProof | Refusal {
  if ([payment.scheme, terms.scheme].some((name) => name !== transferProofOnSvm.name)) {
    return refuse('no_matching_requirements', `scheme is not ${transferProofOnSvm.name}`)
  }
  const { network } = terms
  if (payment.network !== network || !isSvmNetwork(network)) return refuse('invalid_network')
  const [mint, payTo] = [parseAddress(terms.asset), parseAddress(terms.payTo)]
  if (mint === undefined || payTo === undefined) return refuse('invalid_payment_requirements')
  const wire = check(TransferProofPayload, payment.payload)
  if (!wire.ok) return wire
  const { resource } = wire.value
  const from = parseAddress(wire.value.from)
  const transaction = decodeBase58(wire.value.transaction)
  const validBefore = parseAtomic(wire.value.validBefore)
  if (from === undefined || transaction?.length !== 64 || validBefore === undefined || validBefore > MAX_TIME) {
    return refuse('invalid_payload', 'payload')
  }
  const signature = decodeBase58(wire.value.signature)
  if (signature?.length !== 64) return refuse('invalid_transfer_proof_signature')
  const audience = typeof terms.extra.audience === 'string' ? terms.extra.audience : ''
  // One spelling each, so that one transfer has one identity.
  const names = {
    transaction: encodeBase58(transaction),
    from: formatAddress(from),
    mint: formatAddress(mint),
    network,
  }
  return { ok: true, proof: { ...names, resource, audience, validBefore }, signature, from, mint, payTo }
}

const MAX_TIME = 1n << 40n
