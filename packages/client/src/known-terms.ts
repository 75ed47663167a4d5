import { type Clock, systemClock, X402Error } from '@groat/core'
import type { ReadChallenge } from './challenge.js'
import type { PayableRequest } from './request.js'

/** The terms by which URLs were paid for, for as long as a policy lets them count as known. */
export interface KnownTerms {
  get(request: RequestName): ReadChallenge | undefined
  /** Keeps terms that a seller has just asked for and then took. */
  keep(request: RequestName, terms: ReadChallenge): void
  /** A seller that no longer took what was known is asked first from then on. */
  distrust(request: RequestName): void
}

type RequestName = Pick<PayableRequest, 'method' | 'url'>

/**
 * Keeps, in memory, the terms of the last 256 URLs for `seconds` after they were paid by them: the next call pays by them in its first request, and
 * needs one round trip. Where the seller has changed its terms meanwhile, that payment is refused, and it is asked first from then on.
 * Throws `X402Error` `invalid_config`.
 *
 * @example
 * const payer = createPayer({ schemes, known: knownTerms(60) })
 */
export function knownTerms(seconds: number, clock: Clock = systemClock): KnownTerms {
  if (!(seconds >= 0))
    throw new X402Error('invalid_config', { field: 'knownTermsSeconds', problem: 'is no number of seconds' })
  const kept = new Map<string, { readonly terms?: ReadChallenge; readonly until: number }>()
  const nameOf = ({ method, url }: RequestName) => `${method} ${url.href}`
  const put = (name: string, row: { readonly terms?: ReadChallenge; readonly until: number }) => {
    kept.delete(name)
    for (const oldest of kept.keys()) if (kept.size >= MAX_KEPT) kept.delete(oldest)
    kept.set(name, row)
  }
  return {
    get(request) {
      const row = kept.get(nameOf(request))
      return row && row.until > clock() ? row.terms : undefined
    },
    keep(request, terms) {
      const name = nameOf(request)
      const row = kept.get(name)
      if (row?.until !== Number.POSITIVE_INFINITY) put(name, { terms, until: clock() + seconds * 1000 })
    },
    distrust: (request) => put(nameOf(request), { until: Number.POSITIVE_INFINITY }),
  }
}

const MAX_KEPT = 256
