import type { ErrorCode } from '../errors/code-names.js'
import type { JsonObject } from './json.js'
import type { Receipt } from './payment.js'

/** A refusal: a code of the registry, and words that are safe to show to a stranger. */
export type Refusal = {
  readonly ok: false
  readonly code: ErrorCode
  readonly detail?: string
  /** Seconds after which it may be tried again, where whoever refuses knows that. */
  readonly retryAfter?: number
}

/** The answer to "is this payment good for these terms?". */
export type Verdict =
  | { readonly ok: true; readonly payer: string; readonly extra?: JsonObject }
  | (Refusal & {
      readonly payer?: string
      /** What the payer has to know to pay rightly next time: it goes into the `extra` of the offer that is made again. */
      readonly extra?: JsonObject
    })

/** The answer to "settle this payment": there are three, and unknown is one of them. */
export type Settlement =
  | { readonly status: 'settled'; readonly receipt: Receipt }
  | {
      readonly status: 'refused'
      readonly code: ErrorCode
      readonly detail?: string
      readonly payer?: string
      /** Set when a transaction was made and failed. */
      readonly transaction?: string
    }
  | {
      /** Not known yet. Never a new payment: present the same one again, or ask for its status. */
      readonly status: 'unknown'
      /** Seconds after which asking again makes sense. */
      readonly retryAfter: number
      readonly payer?: string
      readonly transaction?: string
    }

/**
 * A refusal as a value.
 *
 * @example
 * refuse('invalid_payload', 'payload.authorization is missing')
 */
export function refuse(code: ErrorCode, detail?: string): Refusal {
  return detail === undefined ? { ok: false, code } : { ok: false, code, detail }
}

/** A decoded value or the reason why the bytes are not one. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | Refusal
