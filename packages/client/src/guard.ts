import type { Wrap } from '@groat/core'
import type { ChooseInput, Chosen, NoneChosen } from './choose.js'
import type { Intent } from './intents.js'
import type { PayableRequest } from './request.js'

/** A challenge that is to be decided. */
export type Question = ChooseInput & {
  readonly request: Pick<PayableRequest, 'url' | 'method' | 'metadata' | 'signal'>
  /** Names the logical request: SHA-256 over method, URL and body. Empty when nothing is to be paid. */
  readonly fingerprint: string
  /** The challenge as it was received. */
  readonly terms: string
  /** Whether what is chosen will be signed; else somebody only wants to know. */
  readonly binding: boolean
}

/** Decides which offer of a challenge is paid. */
export type Choose = (question: Question) => Promise<Chosen | NoneChosen>

/**
 * Stands around the choice, with what a policy alone does not know: what was spent before, who was paid before, what a person says.
 * It adds rules and refuses; an offer that it was not given by the choice inside must not come out of it. What it throws stops the
 * payment.
 */
export type Guard = Wrap<Choose>

/**
 * Tells what became of a payment that has expired and brought nothing: `settled` or `void` where there is proof, else nothing. Only
 * a `void` payment is replaced by a new one.
 */
export type Witness = (payment: Intent) => Promise<'settled' | 'void' | undefined>
