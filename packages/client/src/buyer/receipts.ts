import {
  decodeChallenge,
  decodePayment,
  decodeReceipt,
  headerNames,
  isJsonObject,
  isNetwork,
  isPid,
  type Json,
  type JsonObject,
  networkFamily,
  type PaymentPayload,
  type PaymentRequired,
  type PaymentRequirements,
  parseAtomic,
  type Receipt,
  requirementsId,
  type SchemeServer,
  sameAddress,
  sha256Hex,
} from '@groat/core'
import type { PaymentRecord } from '../purse.js'
import { attestationOf, checksOf, type IsSignedBy } from './attestation.js'

/** A payment as it is handed to others: everything that shows what was agreed, what was signed, and what was said of it. */
export type ExportedReceipt = JsonObject & {
  readonly groat: 'receipt/1'
  readonly id: string
  readonly pid: string
}

/** One thing that was checked. `unknown`: nobody here can tell, and nothing speaks against it. */
export type ReceiptCheck = { readonly check: string; readonly ok: boolean | 'unknown'; readonly says: string }

/** Reads signatures without a chain: who signed this payment; `undefined` where no key alone can be named (smart wallets). */
export type SignerOf = (payment: PaymentPayload, offer: PaymentRequirements) => Promise<string | undefined>

/** Who can read what of a receipt, by scheme. */
export type ReceiptReaders = {
  /** Sellers' halves of schemes: they recompute the identity of a payment. */
  readonly schemes: readonly Pick<SchemeServer, 'scheme' | 'inspect'>[]
  readonly signerOf?: SignerOf
  /** They are one's own records: what no key alone tells of a signature is as it was written down. Else whoever is believed has to answer for it. */
  readonly own?: boolean
  /** Reads the signature of whoever exported it. Without it that is not looked at. */
  readonly isSignedBy?: IsSignedBy
  /** Accounts whose exports are believed beside the payer's own, as `eip155:0x…` or `solana:…`. */
  readonly exporters?: readonly string[]
  /** What the seller itself signed: its offer and its receipt, where an extension has them. */
  readonly sellerSigned?: SellerSigned
}

/** Checks what a seller signed of a payment beside the protocol. */
export type SellerSigned = (about: {
  readonly pid: string
  readonly challenge: PaymentRequired
  readonly offer: PaymentRequirements
  readonly payer: string
  /** The seller's receipt, where it is one of a settled payment. */
  readonly receipt: Receipt | undefined
  /** Milliseconds since 1970. */
  readonly paidAt: number
}) => Promise<readonly ReceiptCheck[]>

/**
 * A record as JSON that a third party can check. It holds the signed payment: whoever has it before it expires can settle it, and nothing else.
 *
 * @example
 * const lines = (await purse.records()).map((record) => JSON.stringify(exportReceipt(record)))
 */
export function exportReceipt({ intent, terms, metadata, note }: PaymentRecord): ExportedReceipt {
  const { id, pid, state, origin, x402Version, scheme, network, asset, payTo, payer, expiresAt, createdAt } = intent
  return {
    ...{ groat: 'receipt/1', id, pid, state, origin, x402Version, scheme, network, asset, payTo, payer },
    amount: intent.amount.toString(),
    expiresAt,
    createdAt,
    ...{ request: intent.fingerprint, challenge: intent.challenge, terms },
    ...(intent.payment && { payment: { name: intent.payment.name, value: intent.payment.value } }),
    ...(intent.transaction !== undefined && { transaction: intent.transaction }),
    metadata,
    ...(note.receipt !== undefined && { receipt: note.receipt }),
    ...(note.httpStatus !== undefined && { httpStatus: note.httpStatus }),
    ...(note.answerDigest !== undefined && { answer: { sha256: note.answerDigest, bytes: note.answerBytes ?? 0 } }),
    ...(note.chain && { chain: { ...note.chain } }),
  }
}

/**
 * Checks an exported receipt by itself: no network, no purse. Every check says what it is about; the receipt is bad when one is not `ok`, and good
 * when all are `true`; a word of the seller's whose signer nobody here knows is `unknown`.
 * What a chain has to say is not asked here: `chain` in the export is the exporter's word, and so are `metadata` and `answer`. Where the exporter has signed
 * (`attestReceipt`), every member that was changed since is a check of its own.
 *
 * @example
 * const checks = await verifyReceipt(JSON.parse(line), { schemes: [exactEvmServer] })
 * const good = checks.every(({ ok }) => ok === true)
 */
export async function verifyReceipt(receipt: unknown, readers: ReceiptReaders): Promise<readonly ReceiptCheck[]> {
  const read = readExported(receipt)
  if (read === undefined) return [{ check: 'form', ok: false, says: 'not a receipt of this form' }]
  const checks: ReceiptCheck[] = [{ check: 'form', ok: true, says: 'receipt/1' }]
  const say = (check: string, ok: boolean, says: string) => void checks.push({ check, ok, says })

  const attestation = readers.isSignedBy && (await attestationOf(read.all, readers.isSignedBy))
  const exporters = [familyOf(read.network, read.payer), ...(readers.exporters ?? [])]
  const isBelieved = exporters.some((name) => attestation && sameAccount(name, attestation.account))
  if (attestation !== undefined) checks.push(...checksOf(attestation, isBelieved))
  const digest = sha256Hex(read.terms)
  say('challenge', digest === read.challenge, `the digest of the challenge is ${digest.slice(0, 16)}…`)
  const offers = challengeOf(read.terms)?.accepts ?? []
  const payment = paymentOf(read)
  say(
    'payment',
    payment !== undefined,
    payment ? `${payment.scheme} on ${payment.network}` : 'there is no readable payment',
  )
  if (payment === undefined) return checks

  const offer = offers.find((each) => (payment.accepted ? sameOffer(each, payment.accepted) : sameTerms(each, read)))
  say('offer', offer !== undefined, offer ? 'the payment answers an offer of the challenge' : 'no such offer was made')
  const told = offer && { ...offer, amount: signedFor(payment, offer) }
  const named = told !== undefined && sameTerms(told, read) && payment.scheme === read.all.scheme
  say('terms', named, 'scheme, recipient, asset, network and amount are those of the offer')
  if (offer === undefined) return checks

  const half = readers.schemes.find(
    ({ scheme }) => scheme.name === payment.scheme && offer.network.startsWith(`${scheme.family}:`),
  )
  const inspected = half?.inspect(payment, offer, { now: read.createdAt })
  if (inspected !== undefined) {
    const known = inspected.ok ? inspected : inspected.late
    say('identity', known?.pid === read.pid, `the payment’s identity is ${known?.pid.slice(0, 16) ?? 'not to be had'}…`)
    say(
      'payer',
      known !== undefined && sameAddress(known.payer, read.payer),
      `the payer is ${known?.payer ?? 'unknown'}`,
    )
  }
  if (readers.signerOf !== undefined) {
    const signer = await readers.signerOf(payment, offer)
    if (signer !== undefined) say('signature', sameAddress(signer, read.payer), `signed by ${signer}`)
    // A contract wallet, or a scheme that is not read here: somebody has to answer for it.
    else if (readers.own !== true)
      say('signature', isBelieved && attestation?.isSigned === true, 'who signed is the exporter’s word')
  }
  const settlement = settlementOf(read)
  const { state, transaction, chain } = read.all
  if (state === 'settled' || transaction !== undefined) {
    const told = settlement?.status === 'settled' ? [settlement.receipt.transaction] : []
    const found = isJsonObject(chain) && chain.status === 'settled' ? [chain.transaction] : []
    const isBorneOut = [...told, ...found].some((each) => each !== undefined && each === transaction)
    say('transaction', isBorneOut, 'the transaction is that of the seller’s receipt, or of the chain')
  }
  if (settlement?.status === 'settled') {
    const { network, amount, payer } = settlement.receipt
    const fits = network === read.network && (amount === undefined || amount <= read.amount)
    say('receipt', fits && (payer === '' || sameAddress(payer, read.payer)), 'the seller’s receipt fits the payment')
  }
  const challenge = challengeOf(read.terms)
  if (readers.sellerSigned !== undefined && challenge !== undefined) {
    const receipt = settlement?.status === 'settled' ? settlement.receipt : undefined
    const about = { pid: read.pid, challenge, offer, payer: read.payer, receipt, paidAt: read.createdAt }
    checks.push(...(await readers.sellerSigned(about)))
  }
  return checks
}

type Read = {
  /** As it came. */
  readonly all: JsonObject
  readonly pid: string
  readonly terms: string
  readonly challenge: string
  readonly network: string
  readonly asset: string
  readonly payTo: string
  readonly payer: string
  readonly amount: bigint
  readonly createdAt: number
  readonly payment?: { readonly name: string; readonly value: string }
  readonly receipt?: string
}

function readExported(value: unknown): Read | undefined {
  // What comes out of a file is JSON; every member is looked at below.
  const of = value as Json
  if (!isJsonObject(of)) return undefined
  const text = (name: string) => (typeof of[name] === 'string' ? of[name] : undefined)
  const [pid, terms, challenge, network] = [text('pid'), text('terms'), text('challenge'), text('network')]
  const [asset, payTo, payer] = [text('asset'), text('payTo'), text('payer')]
  const amount = parseAtomic(text('amount') ?? '')
  if (of.groat !== 'receipt/1' || pid === undefined || !isPid(pid) || terms === undefined || challenge === undefined) {
    return undefined
  }
  if (network === undefined || !isNetwork(network) || asset === undefined || payTo === undefined) return undefined
  if (payer === undefined || amount === undefined || typeof of.createdAt !== 'number') return undefined
  const payment = isJsonObject(of.payment) ? of.payment : undefined
  const receipt = text('receipt')
  return {
    all: of,
    ...{ pid, terms, challenge, network, asset, payTo, payer, amount, createdAt: of.createdAt },
    ...(typeof payment?.name === 'string' &&
      typeof payment.value === 'string' && { payment: { name: payment.name, value: payment.value } }),
    ...(receipt !== undefined && { receipt }),
  }
}

/** The terms stand as they came: a header of version 2, or a body of version 1. */
function challengeOf(terms: string): PaymentRequired | undefined {
  const decoded = terms.trimStart().startsWith('{')
    ? decodeChallenge(() => undefined, terms)
    : decodeChallenge((name) => (name === headerNames[2].required ? terms : undefined))
  return decoded?.ok ? decoded.value : undefined
}

function paymentOf({ payment }: Read): PaymentPayload | undefined {
  const decoded = payment && decodePayment((name) => (name === payment.name ? payment.value : undefined))
  return decoded?.ok ? decoded.value : undefined
}

function settlementOf({ receipt }: Read) {
  const decoded =
    receipt === undefined
      ? undefined
      : decodeReceipt((name) => (name === headerNames[2].response ? receipt : undefined))
  return decoded?.ok ? decoded.value : undefined
}

/** Accounts as `family:address`. */
function sameAccount(a: string, b: string): boolean {
  const [[familyA, addressA = ''], [familyB, addressB = '']] = [a.split(':'), b.split(':')]
  return familyA === familyB && addressA !== '' && sameAddress(addressA, addressB)
}

const familyOf = (network: string, account: string) =>
  isNetwork(network) ? `${networkFamily(network)}:${account}` : account

function sameOffer(a: PaymentRequirements, b: PaymentRequirements): boolean {
  return requirementsId(a) === requirementsId(b)
}

/** What a payment signs away: the offer's amount, or, where it fills a channel, the whole deposit. */
function signedFor({ scheme, payload }: PaymentPayload, { amount }: PaymentRequirements): bigint {
  const deposit = scheme === 'batch-settlement' && isJsonObject(payload.deposit) ? payload.deposit.amount : undefined
  return typeof deposit === 'string' ? (parseAtomic(deposit) ?? amount) : amount
}

function sameTerms({ network, asset, payTo, amount }: PaymentRequirements, read: Read): boolean {
  return (
    network === read.network &&
    sameAddress(asset, read.asset) &&
    sameAddress(payTo, read.payTo) &&
    amount === read.amount
  )
}
