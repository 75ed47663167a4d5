import type { Fetch } from '@groat/core'

/**
 * A `fetch` for one request that is first asked about and then made: its first answer is given twice. So what is free or refused is done
 * once, and what is paid is what was shown. A request that shows what was bought before is another one, and is made.
 *
 * @example
 * const payer = createPayer({ schemes, fetch: askOnce() })
 */
export function askOnce(fetch: Fetch = (...request) => globalThis.fetch(...request)): Fetch {
  let first: Response | undefined
  let calls = 0
  return async (input, init) => {
    if (new Headers(init?.headers).has('payment-entitlement')) return fetch(input, init)
    calls += 1
    if (calls === 2 && first !== undefined) return first
    const response = await fetch(input, init)
    if (calls > 1) return response
    first = response
    return response.clone()
  }
}
