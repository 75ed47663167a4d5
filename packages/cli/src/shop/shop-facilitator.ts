import { type Facilitator, isPid, X402Error } from '@groat/core'
import { createFacilitatorClient } from '@groat/server'
import type { ShopConfig } from '../config/shop-config.js'

/** What a facilitator was asked for and turned the shop away from, for good or for a while. */
export type TurnedAway = {
  readonly code: 'facilitator_unauthorized' | 'facilitator_busy'
  readonly operation: string
  readonly status: number
  /** Its own code, where it gave one. */
  readonly said?: string
  /** Seconds. */
  readonly retryAfter?: number
  readonly hint: string
}

/**
 * The facilitator of a shop's file, with its key where it wants one. `onTurnedAway` is told of every 401 and 403, which go on as
 * `facilitator_unauthorized`, and of every 429, which goes on as `facilitator_busy`. Throws `X402Error` `invalid_config` for a URL that is none.
 */
export function facilitatorOf(
  { facilitator, facilitatorKey, allowHttp }: Pick<ShopConfig, 'facilitator' | 'facilitatorKey' | 'allowHttp'>,
  onTurnedAway: (told: TurnedAway) => void = () => {},
): Required<Facilitator> {
  const hasKey = facilitatorKey !== undefined
  const headers = hasKey ? { authorization: `Bearer ${facilitatorKey}` } : {}
  const { verify, settle, supported, settlement } = createFacilitatorClient(facilitator, { allowHttp, headers })

  async function telling<T>(answer: Promise<T>, isTold = (_status: number) => true): Promise<T> {
    try {
      return await answer
    } catch (error) {
      const told = X402Error.is(error) ? turnedAway(error, hasKey) : undefined
      if (told !== undefined && isTold(told.status)) onTurnedAway(told)
      throw error
    }
  }

  return {
    verify: (...asked) => telling(verify(...asked)),
    settle: (...asked) => telling(settle(...asked)),
    // Asked at the start, where what it throws is shown.
    supported,
    // A key that may not read is good for selling all the same.
    settlement: (...asked) => telling(settlement(...asked), (status) => status === 401 || asked[0] !== NOBODYS),
  }
}

/**
 * Asks for a settlement that nobody has made, since `/supported` answers strangers too: a facilitator that wants a key says so now, and not to
 * the first buyer. Never throws: what else is wrong with the answer says nothing about payments.
 */
export async function knock(facilitator: Required<Facilitator>): Promise<void> {
  if (isPid(NOBODYS)) await facilitator.settlement(NOBODYS).catch(() => undefined)
}

const NOBODYS = '0'.repeat(64)

function turnedAway({ code, context }: X402Error, hasKey: boolean): TurnedAway | undefined {
  const [status, operation] = [Number(context.status), String(context.operation)]
  if (code === 'facilitator_unauthorized') return { code, status, operation, hint: hintFor(status, hasKey) }
  if (code !== 'facilitator_busy') return undefined
  const { said, retryAfter } = context
  return {
    ...{ code, status, operation },
    ...(typeof said === 'string' && { said }),
    ...(typeof retryAfter === 'number' && { retryAfter }),
    hint:
      said === 'quota_exceeded' ? OVER_QUOTA : 'the facilitator has more to do than it can; buyers are told to wait',
  }
}

const OVER_QUOTA =
  'the quota that the facilitator gives this shop is used up for now; buyers are told to wait. Ask its operator for more'

function hintFor(status: number, hasKey: boolean): string {
  if (!hasKey)
    return `the facilitator wants an API key: facilitator: { url: …, key: "\${GROAT_FACILITATOR_KEY}" } in the file`
  return status === 401
    ? 'the facilitator does not know the API key of `facilitator.key`: ask its operator for another'
    : 'the API key of `facilitator.key` is not good for this: ask the operator of the facilitator for its scopes'
}
