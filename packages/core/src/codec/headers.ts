import type { X402Version } from '../model/payment.js'

/** The header names of one protocol version. */
export type HeaderNames = {
  /** The challenge; version 1 has it in the body. */
  readonly required?: string
  readonly payment: string
  readonly response: string
}

/** Header names by protocol version. */
export const headerNames: Readonly<Record<X402Version, HeaderNames>> = {
  1: { payment: 'X-PAYMENT', response: 'X-PAYMENT-RESPONSE' },
  2: { required: 'PAYMENT-REQUIRED', payment: 'PAYMENT-SIGNATURE', response: 'PAYMENT-RESPONSE' },
}

/** Reads one header of a message; `null` or `undefined` when it is not there. */
export type GetHeader = (name: string) => string | null | undefined
