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
import { type Address, parseAddress, recoverAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { parseSignature } from '../crypto/signature.js'
import { isHex } from '../hex.js'
import { type TransferProof, transferProofDigest, transferProofId, transferProofOnEvm } from './proof.js'
import { TransferProofPayload } from './schema.shapes.js'

/** A proof and its terms, read. */
export type ReadProof = {
  readonly ok: true
  readonly proof: TransferProof
  readonly signature: Uint8Array
  readonly chainId: bigint
  readonly token: Address
  readonly payTo: Address
}

/** When a proof is read, and whether a signature that is no key's may be a contract's: its wallet has yet to be asked then. */
export type ProofContext = InspectContext & { readonly byContract?: boolean }

/**
 * Reads a proof against its terms, without a chain: a key's signature is looked at here, so that nobody else can claim a transfer
 * (EVM-PROOF-003 to 005, 010). Refuses `no_matching_requirements`, `invalid_network`, `invalid_payload`, `invalid_payment_requirements`,
 * `resource_mismatch`, `invalid_transfer_proof_signature` and `payment_expired`.
 *
 * @example
 * const inspection = inspectProof(nobleEngine, payment, offer, { now: clock() })
 */
export function inspectProof(
  engine: CryptoEngine,
  payment: PaymentPayload,
  terms: PaymentRequirements,
  { now, byContract = false }: ProofContext,
): Inspection {
  const read = readProof(payment, terms)
  if (!read.ok) return read
  const { proof } = read
  const payer = proof.from
  const { url } = payment.resource ?? {}
  if (url !== undefined && url !== proof.resource) return { ...refuse('resource_mismatch'), payer }
  if (!byContract && !isSignedByKey(engine, read)) return { ...refuse('invalid_transfer_proof_signature'), payer }
  const pid = transferProofId(terms.network, read.token, proof)
  return inspectTransferWord({ pid, payer, end: Number(proof.validBefore) }, terms, now)
}

/** Whether the key of the sender's own address made the signature. */
export function isSignedByKey(engine: CryptoEngine, read: ReadProof): boolean {
  return recoverAddress(engine, transferProofDigest(engine, read, read.proof), read.signature) === read.proof.from
}

/** The parts of a proof, or why it is none for these terms. */
export function readProof(payment: PaymentPayload, terms: PaymentRequirements): ReadProof | Refusal {
  if ([payment.scheme, terms.scheme].some((name) => name !== transferProofOnEvm.name))
    return refuse('no_matching_requirements', `scheme is not ${transferProofOnEvm.name}`)
  const chainId = payment.network === terms.network ? chainIdOf(terms.network) : undefined
  if (chainId === undefined) return refuse('invalid_network')
  const [token, payTo] = [parseAddress(terms.asset), parseAddress(terms.payTo)]
  if (token === undefined || payTo === undefined) return refuse('invalid_payment_requirements')
  const wire = check(TransferProofPayload, payment.payload)
  if (!wire.ok) return wire
  const { resource } = wire.value
  const transaction = wire.value.transaction.toLowerCase()
  const from = parseAddress(wire.value.from)
  const validBefore = parseAtomic(wire.value.validBefore)
  const signature = parseSignature(wire.value.signature)
  if (from === undefined || validBefore === undefined || validBefore > MAX_TIME || !isHex(transaction, 32)) {
    return refuse('invalid_payload', 'payload')
  }
  if (signature === undefined) return refuse('invalid_transfer_proof_signature')
  const audience = typeof terms.extra.audience === 'string' ? terms.extra.audience : ''
  return { ok: true, proof: { transaction, from, resource, audience, validBefore }, signature, chainId, token, payTo }
}

const MAX_TIME = 1n << 40n
