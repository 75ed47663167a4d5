import { type Pid, sha256Hex } from '@groat/core'
import { problemAnswer } from '../answer.js'
import { freePayment, streamUse } from '../entitled.js'
import { createLru } from '../lru.js'
import type { Free, Priced } from '../price-words.js'
import { secondsOf } from '../route.js'
import type { GateRequest } from '../terms.js'
import { callerOfAddress } from './caller.js'
import { invalid } from './tariff.js'
import { type Conditions, named, needed } from './times.js'

/**
 * Compiles a free tier. Calls are counted in the claim store, by one conditional update: they hold for any number of requests and processes.
 * Throws `X402Error` `invalid_config`.
 */
export function compileFree(
  free: Free,
  route: string,
  conditions: Conditions | undefined,
): NonNullable<Priced['free']> {
  const { calls, every, by } = typeof free === 'number' ? { calls: free } : { every: undefined, by: undefined, ...free }
  if (!Number.isSafeInteger(calls) || calls < 1) throw invalid('free', 'a whole number of calls')
  const seconds = every === undefined ? undefined : secondsOf(every, 'free.every')
  const callerOf = compileCaller(by, conditions)
  const spent = createLru<true>(MAX_SPENT)
  return async (gate, routeOf, request, terms) => {
    const caller = callerOf(request)
    const [offer] = terms.offers
    if (caller === undefined || offer === undefined) return undefined
    const window = seconds === undefined ? '' : Math.floor(gate.clock() / 1000 / seconds)
    // It is no payment's: those have other identities.
    const id = `free-${sha256Hex(JSON.stringify([route, window, caller]))}` as Pid
    if (spent.get(id)) return undefined
    const { entitlements } = gate.claims
    try {
      const more = seconds === undefined ? {} : { seconds }
      await entitlements.grant({ pid: id, scope: id, uses: calls, proof: '', ...more })
      const left = await entitlements.redeem(id, id)
      if (left === undefined) {
        spent.set(id, true)
        return undefined
      }
    } catch {
      return { type: 'answer', answer: problemAnswer('store_unavailable'), paid: false }
    }
    return streamUse(gate, routeOf, request, terms, {
      payment: freePayment(id, offer.requirements),
      free: true,
    })
  }
}

/** Callers without free calls that are remembered, so that they cost the store nothing. */
const MAX_SPENT = 10_000

function compileCaller(
  by: Exclude<Free, number>['by'],
  conditions: Conditions | undefined,
): (request: GateRequest) => string | undefined {
  if (by === undefined) return ({ address }) => address && callerOfAddress(address)
  return typeof by === 'function' ? by : named('free', () => needed(conditions, 'free').text(by))
}
