import {
  decodeChallenge,
  type ErrorCode,
  isErrorCode,
  type Network,
  type Pid,
  type Receipt,
  sameAddress,
  type X402Version,
} from '@groat/core'
import type { OfferRefusal } from './choose.js'
import type { Intent, IntentEnd } from './intents.js'
import type { Answer } from './present.js'

/** A payment that was signed, as it was agreed. */
export type SignedPayment = {
  readonly intent: string
  readonly pid: Pid
  /** The protocol version of the challenge that it answers. */
  readonly x402Version: X402Version
  readonly scheme: string
  readonly network: Network
  readonly asset: string
  /** Atomic units that the signature allows to be taken. */
  readonly amount: bigint
  readonly payTo: string
  readonly payer: string
  /** Seconds since 1970 after which the signature is worth nothing. */
  readonly expiresAt: number
}

/** What a seller says it took. `unverified`: it fits what was signed, and no chain was asked. */
export type PaymentReceipt = Receipt & {
  readonly state: 'unverified' | 'disputed'
  /** What contradicts the signed payment. */
  readonly dispute?: 'network' | 'amount' | 'payer'
  /** What is wrong with what extensions say in it, by their keys, as far as the payer has halves to check it. */
  readonly flaws?: Readonly<Record<string, string>>
}

/** How payment went. */
export type PaymentOutcome =
  /** Nothing was signed: the challenge cannot be read, or the policy refuses every offer of it. */
  | {
      readonly status: 'unpaid'
      readonly code: ErrorCode
      readonly detail?: string
      readonly refusals: readonly OfferRefusal[]
    }
  | { readonly status: 'settled'; readonly payment: SignedPayment; readonly receipt: PaymentReceipt }
  /** There is a receipt, and it contradicts what was signed. */
  | { readonly status: 'disputed'; readonly payment: SignedPayment; readonly receipt: PaymentReceipt }
  /** The answer was had, and the seller gave no receipt that can be read. */
  | { readonly status: 'answered'; readonly payment: SignedPayment }
  /**
   * The seller says no, which proves nothing: some say it too when they could not reach their facilitator, and `detail` has their words. The payment
   * stays alive until it expires, and the next call presents it again.
   */
  | {
      readonly status: 'refused'
      readonly payment: SignedPayment
      readonly code: ErrorCode
      readonly detail?: string
    }
  /** Nobody knows. The next call presents the same payment again; `retryAfter` is in seconds. */
  | { readonly status: 'unknown'; readonly payment: SignedPayment; readonly retryAfter?: number }

/**
 * What an answer says of a payment, and whether it ends the intent. A payment that was taken and brought only an error is not at its end:
 * presented again, it may still bring what was paid for.
 */
export function judgeAnswer(
  { response, settlement, pending }: Answer,
  intent: Intent,
): { readonly outcome: PaymentOutcome; readonly end?: IntentEnd } {
  const payment = signedPayment(intent)
  if (settlement?.status === 'settled') {
    const { receipt } = settlement
    const dispute = disputeOf(receipt, payment)
    const status = dispute === undefined ? 'settled' : 'disputed'
    const state = dispute === undefined ? ({ state: 'unverified' } as const) : ({ state: 'disputed', dispute } as const)
    return {
      outcome: { status, payment, receipt: { ...receipt, ...state } },
      ...(response.status < 400 && { end: status }),
    }
  }
  if (pending !== undefined) return { outcome: { status: 'unknown', payment, retryAfter: pending } }
  if (response.ok) return { outcome: { status: 'answered', payment }, end: 'answered' }
  if (settlement?.status === 'refused') {
    const { code, detail } = settlement
    return { outcome: { status: 'refused', payment, code, ...(detail !== undefined && { detail }) } }
  }
  const reason = REFUSING.has(response.status) ? sellersReason(response) : undefined
  if (reason !== undefined) return { outcome: { status: 'refused', payment, ...reason } }
  return { outcome: { status: 'unknown', payment } }
}

function signedPayment(intent: Intent): SignedPayment {
  const { id, pid, x402Version, scheme, network, asset, amount, payTo, payer, expiresAt } = intent
  return { intent: id, pid, x402Version, scheme, network, asset, amount, payTo, payer, expiresAt }
}

/** Less than was signed may be taken (a metered scheme does); more cannot be. */
function disputeOf(receipt: Receipt, { network, amount, payer }: SignedPayment): PaymentReceipt['dispute'] {
  if (receipt.network !== network) return 'network'
  if (receipt.amount !== undefined && receipt.amount > amount) return 'amount'
  return receipt.payer === '' || sameAddress(receipt.payer, payer) ? undefined : 'payer'
}

/** Statuses of a refusal: the second where Permit2 has to be approved first. */
const REFUSING: ReadonlySet<number> = new Set([402, 412])

/** Why a seller refuses; nothing where the answer is no challenge, and its status may be about something else. */
function sellersReason({
  status,
  headers,
}: Response): { readonly code: ErrorCode; readonly detail?: string } | undefined {
  const challenge = decodeChallenge((name) => headers.get(name))
  if (status !== 402 && !challenge?.ok) return undefined
  const words = challenge?.ok ? challenge.value.error : undefined
  if (words === undefined) return { code: 'payment_refused' }
  const code = words.split(': ', 1)[0] ?? ''
  return isErrorCode(code) ? { code } : { code: 'payment_refused', detail: words.slice(0, 200) }
}
