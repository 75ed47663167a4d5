import { type Refusal, refuse } from '@groat/core'
import type { Choose, Guard, Question } from './guard.js'

/** Why nothing is signed for whoever sent a challenge, whatever it offers; `undefined`: nothing stands against it. */
export type JudgeSeller = (question: Question) => Promise<Refusal | undefined>

/**
 * Asks the rules of a policy, and those of a guard, about the seller alone.
 *
 * @example
 * if ((await judgeSeller(guard)(question)) === undefined) signIn()
 */
export function judgeSeller(guard: Guard = (next) => next): JudgeSeller {
  return async (question) => {
    let refusal: Refusal | undefined
    const look: Choose = async (asked) => {
      for (const { ofSeller } of asked.policy.rules) refusal ??= ofSeller?.(asked)
      return { ...refuse('no_acceptable_offer'), refusals: [] }
    }
    await guard(look)(question)
    return refusal
  }
}
