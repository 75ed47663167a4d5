import type { ErrorCode, Pid } from '@groat/core'

/** What is told of a payment, in the order in which it was written down. Nothing is told that was not written, and nothing twice by one id. */
export type LedgerEvent = {
  /** Where it stands in the stream: ask for what comes after it. From 1. */
  readonly seq: number
  readonly id: string
  readonly type: LedgerEventType
  /** Milliseconds since 1970. */
  readonly at: number
  readonly pid: Pid
  readonly data: LedgerEventData
}

/** What can be told, each before what may follow from it. */
export const EVENT_ORDER = [
  'payment_verified',
  'payment_settled',
  'payment_failed',
  'delivery_failed',
  'refund_asked',
  'refund_approved',
  'refund_rejected',
  'refund_sent',
  'refund_settled',
  'refund_failed',
] as const

/** What can be told. */
export type LedgerEventType = (typeof EVENT_ORDER)[number]

/** What is said of it. Amounts are atomic units as decimal text. */
export type LedgerEventData = {
  readonly network?: string
  readonly scheme?: string
  readonly asset?: string
  readonly amount?: string
  readonly payer?: string
  readonly payTo?: string
  readonly transaction?: string
  readonly resource?: string
  readonly route?: string
  readonly group?: string
  readonly code?: ErrorCode
  readonly reason?: string
  /** Of a refund that is a part with a name: that name. */
  readonly part?: string
  readonly by?: string
}
