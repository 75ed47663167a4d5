import type { Network } from '@groat/core'
import type { PayerFields } from '@groat/extensions/compliance/facilitator'

/** Who takes part in a payment, as far as it can be seen. */
export type ScreeningSubject = {
  readonly network: Network
  readonly payer: string
  readonly payTo: string
  readonly during: 'verify' | 'settle'
  /** What the payment says of its payer, where it says anything: the payer's own word. */
  readonly fields?: PayerFields
}

/** What a provider says. `reason` is for the journal and the operator; it never leaves. */
export type ScreeningDecision = {
  readonly allowed: boolean
  readonly reason?: string
  /** Which list, or which model, decided. */
  readonly version: string
}

/**
 * Decides about addresses: a list of your own, or a service. One that throws, or takes too long, has not decided, and nothing is verified or
 * settled undecided.
 */
export interface ScreeningProvider {
  readonly name: string
  screen(subject: ScreeningSubject, options: { readonly signal: AbortSignal }): Promise<ScreeningDecision>
  /**
   * Throws when it could not decide now. The `reason` in the context of an `X402Error` `screening_unavailable` is told to whoever asks for
   * readiness, with what to do; whatever else is thrown is not.
   */
  ready?(): Promise<void>
}
