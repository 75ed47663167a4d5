import {
  check,
  type InspectContext,
  type InspectedPayment,
  type Inspection,
  isJsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  type Refusal,
  refuse,
} from '@groat/core'
import { verifySignature } from '../crypto/ed25519.js'
import { formatAddress, type Key } from '../wire/address.js'
import { decodeBase64 } from '../wire/base64.js'
import { sameBytes } from '../wire/bytes.js'
import { decodeTransaction, MAX_TRANSACTION_BYTES, type Transaction } from '../wire/transaction.js'
import { MAX_LIFE_SECONDS, messageId } from './identity.js'
import { readTransfer, type Transfer } from './layout.js'
import { SvmTransactionPayload } from './schema.shapes.js'
import { type ExactTerms, judgeEcho, readTerms } from './terms.js'

/** A payment and its terms, read: every byte parsed, nothing judged by a chain, no signature checked. */
export type ExactPayment = {
  readonly ok: true
  readonly pid: Pid
  readonly transaction: Transaction
  /** The payload's own text of it. */
  readonly text: string
  readonly terms: ExactTerms
  /** How the money moves; or why the message is not in the layout, so that a wallet's program would have to be asked how. */
  readonly transfer: Transfer | Refusal
  /** Who signs besides the fee payer: the token authority, or whoever speaks for a wallet's program. */
  readonly payer: Key
}

/** The longest text of a transaction. */
const MAX_TEXT = 4 * Math.ceil(MAX_TRANSACTION_BYTES / 3)

/**
 * Reads a payment against its terms, without a chain and without the signature: the checks that seller and facilitator share
 * (SVM-EXACT-020 to 046, SVM-EXACT-083). `expiresAt` is the latest end there can be, since a message says nothing of its age.
 *
 * Refuses what `readTerms`, `judgeEcho` and `readTransfer` refuse, `invalid_payload`,
 * `invalid_exact_svm_payload_transaction_could_not_be_decoded`, `unsupported_transaction_version` and
 * `invalid_exact_svm_payload_lookup_table`.
 *
 * @example
 * const inspection = inspectExact(payment, offer, { now: clock() })
 */
export function inspectExact(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
  const read = readExact(payment, terms)
  if (!read.ok) return read
  // Only a facilitator that looks into smart wallets has offers say so.
  return read.transfer.ok || servesSmartWallets(terms) ? inspectionOf(read, now) : read.transfer
}

/**
 * What a payment is that has been read.
 *
 * @example
 * inspectionOf(read, { now: clock() })
 */
export function inspectionOf({ pid, payer }: ExactPayment, { now }: InspectContext): InspectedPayment {
  return { ok: true, pid, payer: formatAddress(payer), expiresAt: Math.floor(now / 1000) + MAX_LIFE_SECONDS }
}

/**
 * The parts of a payment, or why it is not one for these terms. Remembered per payment, since every step of a settlement reads it again.
 *
 * @example
 * const read = readExact(payment, offer)
 */
export function readExact(payment: PaymentPayload, terms: PaymentRequirements): ExactPayment | Refusal {
  const known = lastRead.get(payment)
  if (known?.terms === terms) return known.read
  const read = readParts(payment, terms)
  lastRead.set(payment, { terms, read })
  return read
}

/**
 * Whether everybody has signed who must, but the fee payer: its slot is the facilitator's to fill (SVM-EXACT-025).
 *
 * @example
 * if (!(await isSigned(read.transaction))) return refuse('invalid_exact_svm_payload_signature_invalid')
 */
export async function isSigned({ signatures, message }: Transaction): Promise<boolean> {
  for (let slot = 1; slot < message.requiredSignatures; slot++) {
    const [key, signature] = [message.keys[slot], signatures[slot]]
    if (!key || !signature || !(await verifySignature(key, signature, message.bytes))) return false
  }
  return true
}

/** Whether an offer says that its facilitator looks into the payments of smart wallets. */
function servesSmartWallets({ extra }: PaymentRequirements): boolean {
  return isJsonObject(extra.features) && extra.features.smartWalletSupported === true
}

const lastRead = new WeakMap<
  PaymentPayload,
  { readonly terms: PaymentRequirements; readonly read: ExactPayment | Refusal }
>()

function readParts(payment: PaymentPayload, offer: PaymentRequirements): ExactPayment | Refusal {
  const objection = judgeEcho(payment, offer)
  if (objection !== undefined) return objection
  const terms = readTerms(offer)
  if (!terms.ok) return terms
  const wire = check(SvmTransactionPayload, payment.payload)
  if (!wire.ok) return wire
  const text = wire.value.transaction
  const transaction = readTransaction(text)
  if ('ok' in transaction) return transaction
  const { message } = transaction
  const [feePayer, payer] = message.keys
  if (feePayer === undefined || !sameBytes(feePayer, terms.feePayer)) {
    return refuse('invalid_exact_svm_fee_payer_mismatch')
  }
  if (message.requiredSignatures > 2) return refuse('invalid_exact_svm_payload_excessive_signers')
  const transfer =
    message.lookups.length > 0 ? refuse('invalid_exact_svm_payload_lookup_table') : readTransfer(message, terms)
  // A payer who signs is the least that any other layout must have.
  if (!transfer.ok && !(LAYOUT.has(transfer.code) && message.requiredSignatures === 2)) return transfer
  if (payer === undefined) return refuse('invalid_exact_svm_payload_signature_invalid')
  return { ok: true, pid: messageId(offer.network, message.bytes), transaction, text, terms, transfer, payer }
}

function readTransaction(text: string): Transaction | Refusal {
  const bytes = text.length <= MAX_TEXT ? decodeBase64(text) : undefined
  const transaction = bytes ? decodeTransaction(bytes) : 'malformed'
  if (transaction === 'malformed') return refuse('invalid_exact_svm_payload_transaction_could_not_be_decoded')
  return transaction === 'unsupported_version' ? refuse('unsupported_transaction_version') : transaction
}

/** What a payment of a smart wallet may have against the layout. */
const LAYOUT: ReadonlySet<Refusal['code']> = new Set([
  'invalid_exact_svm_payload_lookup_table',
  'invalid_exact_svm_payload_transaction_instructions_length',
  'invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction',
  'invalid_exact_svm_payload_transaction_instructions_compute_price_instruction',
  'invalid_exact_svm_payload_no_transfer_instruction',
  'invalid_exact_svm_payload_unknown_fourth_instruction',
  'invalid_exact_svm_payload_unknown_fifth_instruction',
  'invalid_exact_svm_payload_unknown_sixth_instruction',
])
