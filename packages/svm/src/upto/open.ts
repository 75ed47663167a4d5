import {
  check,
  type InspectContext,
  type Inspection,
  judgeAccepted,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
} from '@groat/core'
import { messageId } from '../exact/identity.js'
import { isHarmless, judgeMemo } from '../exact/layout.js'
import { formatAddress, type Key, parseAddress } from '../wire/address.js'
import { decodeBase64 } from '../wire/base64.js'
import { sameBytes } from '../wire/bytes.js'
import { readComputeUnitLimit, readComputeUnitPrice } from '../wire/instructions.js'
import { programs } from '../wire/programs.js'
import { decodeTransaction, type Instruction, type Message, type Transaction } from '../wire/transaction.js'
import { type ChannelOpening, channelAccounts, channelAddress, decodeOpen, isOpening } from './channel.js'
import { uptoOnSvm } from './identity.js'
import { UptoSvmPayload } from './schema.shapes.js'
import { MAX_LIFETIME_SECONDS, parseSlot, readUptoTerms, type UptoTerms } from './terms.js'

/** The opening of a channel, read and held against its terms. */
export type UptoPayment = {
  readonly ok: true
  readonly transaction: Transaction
  readonly opening: ChannelOpening
  /** Seconds since 1970. */
  readonly expiresAt: number
}

/** Slots after which a channel cannot be opened at its slot any more. */
export const OPEN_SLOT_WINDOW = 1_500n

const MAX_COMPUTE_UNITS = 400_000
const MAX_COMPUTE_UNIT_PRICE = 5_000_000n
const MAX_OTHERS = 4
const MAX_ASSERTIONS = 3
/** Seconds by which the clocks of payer and reader may differ. */
const CLOCK_ALLOWANCE_SECONDS = 60

/**
 * Reads the opening of a channel against its terms, without a chain and without the signature. What the transaction does is
 * exactly: at most a compute budget, the one opening, and at most a memo and three assertions; nothing else may sign, be written to or
 * name the fee payer.
 *
 * Refuses `unsupported_scheme`, `network_mismatch`, `no_matching_requirements`, `invalid_network`, `invalid_payment_requirements`, `invalid_payload`
 * and `payment_expired`, and for the transaction `invalid_upto_svm_payload_open_transaction`; the detail names the part.
 *
 * @example
 * const inspection = inspectUpto(payment, offer, { now: Date.now() })
 */
export function inspectUpto(payment: PaymentPayload, offer: PaymentRequirements, now: InspectContext): Inspection {
  const read = readUpto(payment, offer, now)
  if (!read.ok) return read
  const { transaction, opening, expiresAt } = read
  const pid = messageId(offer.network, transaction.message.bytes)
  return { ok: true, pid, payer: formatAddress(opening.payer), expiresAt }
}

/**
 * The same, with the parts.
 *
 * @example
 * const read = readUpto(payment, offer, { now: Date.now() })
 */
export function readUpto(
  payment: PaymentPayload,
  offer: PaymentRequirements,
  { now }: InspectContext,
): UptoPayment | Refusal {
  const objection = judgeEcho(payment, offer)
  if (objection !== undefined) return objection
  const terms = readUptoTerms(offer)
  if (!terms.ok) return terms
  // Those two are written by the server, at the end.
  for (const name of ['voucherSignature', 'type']) {
    if (name in payment.payload) return refuse('invalid_payload', name)
  }
  const wire = check(UptoSvmPayload, payment.payload)
  if (!wire.ok) return wire
  const { from, maxAmount, deposit, nonce, openSlot, channelId, authorizedSigner, openTransaction } = wire.value
  const [payer, salt, slot] = [parseAddress(from), parseSlot(nonce), parseSlot(openSlot)]
  if (payer === undefined) return refuse('invalid_payload', 'from')
  if (salt === undefined) return refuse('invalid_payload', 'nonce')
  if (slot === undefined || !isFresh(slot, terms)) return refuse('invalid_payload', 'openSlot')
  if (authorizedSigner !== formatAddress(terms.receiverAuthorizer)) return refuse('invalid_payload', 'authorizedSigner')
  if (BigInt(maxAmount) !== terms.amount) return refuse('invalid_payload', 'maxAmount')
  if (BigInt(deposit) !== terms.amount) return refuse('invalid_payload', 'deposit')
  const untimely = judgeTimes(wire.value, terms, Math.floor(now / 1000))
  if (untimely !== undefined) return untimely
  const opening = openingOf(terms, { payer, salt, openSlot: slot })
  if (channelId !== formatAddress(channelAddress(opening).key)) return refuse('invalid_payload', 'channelId')
  const bytes = decodeBase64(openTransaction)
  const transaction = bytes ? decodeTransaction(bytes) : 'malformed'
  if (typeof transaction === 'string') return broken(transaction)
  const flaw = judgeOpening(transaction.message, opening, terms)
  return flaw ?? { ok: true, transaction, opening, expiresAt: wire.value.expiresAt }
}

/**
 * What is opened for an offer by a payer.
 *
 * @example
 * openingOf(terms, { payer, salt, openSlot })
 */
export function openingOf(
  { mint, payTo, amount, feePayer, receiverAuthorizer, withdrawDelay, tokenProgram }: UptoTerms,
  own: Pick<ChannelOpening, 'payer' | 'salt' | 'openSlot'>,
): ChannelOpening {
  return {
    ...own,
    payee: feePayer,
    mint,
    authorizedSigner: receiverAuthorizer,
    tokenProgram,
    deposit: amount,
    grace: withdrawDelay,
    recipient: payTo,
  }
}

function judgeEcho(payment: PaymentPayload, offer: PaymentRequirements): Refusal | undefined {
  const { accepted } = payment
  const schemes = [payment.scheme, offer.scheme, accepted?.scheme ?? uptoOnSvm.name]
  if (schemes.some((scheme) => scheme !== uptoOnSvm.name)) return refuse('unsupported_scheme')
  if (payment.network !== offer.network || (accepted && accepted.network !== offer.network)) {
    return refuse('network_mismatch')
  }
  return judgeAccepted(accepted, offer)
}

/** No slot that is still to come, and none so long ago that the program refuses it. */
function isFresh(slot: bigint, { recentSlot }: UptoTerms): boolean {
  return recentSlot === undefined || (slot <= recentSlot && recentSlot - slot <= OPEN_SLOT_WINDOW)
}

function judgeTimes(
  { expiresAt, validAfter }: { readonly expiresAt: number; readonly validAfter: number },
  { maxTimeoutSeconds }: UptoTerms,
  now: number,
): Refusal | undefined {
  if (!Number.isSafeInteger(validAfter) || validAfter > now) return refuse('invalid_payload', 'validAfter')
  if (!Number.isSafeInteger(expiresAt)) return refuse('invalid_payload', 'expiresAt')
  if (expiresAt <= now) return refuse('payment_expired')
  const longest = Math.min(maxTimeoutSeconds, MAX_LIFETIME_SECONDS) + CLOCK_ALLOWANCE_SECONDS
  return expiresAt > now + longest ? refuse('invalid_payload', 'expiresAt') : undefined
}

function judgeOpening(message: Message, opening: ChannelOpening, terms: UptoTerms): Refusal | undefined {
  const { keys, requiredSignatures, lookups, instructions } = message
  if (lookups.length > 0) return broken('lookup tables')
  if (!isSame(keys[0], opening.payee)) return broken('fee payer')
  if (requiredSignatures !== 2 || !isSame(keys[1], opening.payer)) return broken('signers')
  const rest = [...instructions]
  const [units, price] = [
    takeBudget(message, rest, readComputeUnitLimit),
    takeBudget(message, rest, readComputeUnitPrice),
  ]
  if ((units ?? 0) > MAX_COMPUTE_UNITS || (price ?? 0n) > MAX_COMPUTE_UNIT_PRICE) return broken('compute budget')
  const open = rest.shift()
  if (open === undefined || !isSame(keys[open.program], programs.paymentChannels)) return broken('layout')
  return judgeOthers(message, rest, terms) ?? judgeOpen(message, open, opening)
}

/** Takes the first instruction away if it is that part of a compute budget. */
function takeBudget<T>(
  { keys }: Message,
  rest: Instruction[],
  read: (data: Uint8Array) => T | undefined,
): T | undefined {
  const [first] = rest
  if (first === undefined || !isSame(keys[first.program], programs.computeBudget) || first.accounts.length > 0)
    return undefined
  const value = read(first.data)
  if (value !== undefined) rest.shift()
  return value
}

function judgeOthers(message: Message, others: readonly Instruction[], terms: UptoTerms): Refusal | undefined {
  const assertions = others.filter(({ program }) => isSame(message.keys[program], programs.lighthouse))
  if (others.length > MAX_OTHERS || assertions.length > MAX_ASSERTIONS) return broken('layout')
  // The first account pays the fee, and stands in the opening only.
  if (others.some((other) => !isHarmless(message, other) || other.accounts.includes(0))) return broken('layout')
  return judgeMemo(message, terms) && broken('memo')
}

function judgeOpen(message: Message, open: Instruction, opening: ChannelOpening): Refusal | undefined {
  const { keys } = message
  const expected = channelAccounts(opening)
  const isBound =
    open.accounts.length === expected.length &&
    expected.every(({ key }, at) => isSame(keys[open.accounts[at] ?? -1], key))
  if (!isBound) return broken('accounts')
  const written = expected.filter(({ writable }) => writable)
  const isTight = keys.every((key, at) => written.some((role) => sameBytes(role.key, key)) === isWritable(message, at))
  if (!isTight) return broken('writable accounts')
  const read = decodeOpen(open.data)
  return read && isOpening(read, opening) ? undefined : broken('arguments')
}

/** Whether the header lets an account of the message itself be written to. */
function isWritable({ keys, requiredSignatures, readonlySigned, readonlyUnsigned }: Message, at: number): boolean {
  return at < requiredSignatures ? at < requiredSignatures - readonlySigned : at < keys.length - readonlyUnsigned
}

function isSame(a: Key | undefined, b: Key): boolean {
  return a !== undefined && sameBytes(a, b)
}

const broken = (part: string) => refuse('invalid_upto_svm_payload_open_transaction', part)
