import type { Clock, Facilitator, Supported } from '@groat/core'

/** What the facilitator says of itself: asked for once, and again when that is old. */
export interface Support {
  /** What is known; `undefined` before the first answer. Asks again in the background once it is ten minutes old. */
  known(): Supported | undefined
  /** Asks, unless it is known. Throws what the facilitator throws when it cannot be asked. */
  ask(): Promise<Supported>
}

/** A facilitator may change the accounts it pays fees from; those it had go on to settle. */
const FRESH_MS = 10 * 60_000

const RETRY_MS = 30_000

/**
 * Remembers what a facilitator supports.
 *
 * @example
 * const support = createSupport(facilitator, Date.now)
 * const { kinds } = await support.ask()
 */
export function createSupport(facilitator: Facilitator, clock: Clock): Support {
  let last: { readonly says: Supported; readonly until: number } | undefined
  let asking: Promise<Supported> | undefined

  const ask = (): Promise<Supported> => {
    asking ??= facilitator
      .supported()
      .then((says) => {
        last = { says, until: clock() + FRESH_MS }
        return says
      })
      .finally(() => {
        asking = undefined
      })
    return asking
  }

  return {
    known() {
      if (last === undefined) return undefined
      if (clock() >= last.until) {
        // What was said before is kept where it does not answer now.
        last = { says: last.says, until: clock() + RETRY_MS }
        ask().catch(() => undefined)
      }
      return last.says
    },
    ask: async () => last?.says ?? ask(),
  }
}
