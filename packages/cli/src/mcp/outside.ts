import type { SpendingPolicy } from '@groat/client/buyer'
import { isInside } from '@groat/client/undici'
import { type Fetch, X402Error } from '@groat/core'
import { checkedNames } from '../commands/names.js'
import { isLoopback } from '../commands/wallet.js'
import { targetOf } from './target.js'

/** How an agent reaches strangers: names have one view, and every address that is asked is one that the agent could have named itself. */
export type Outside = {
  readonly resolve: (name: string) => Promise<readonly string[]>
  readonly fetch: Fetch
}

/**
 * A `fetch` for an agent. Where it is redirected is looked at like what it asks for itself: a stranger does not make it ask in a private network or, from
 * outside, on this machine. Throws `X402Error` `private_address`, and what `targetOf` throws.
 */
export function outsideOf(policy: SpendingPolicy): Outside {
  const { resolve, fetch } = checkedNames()

  async function look(target: URL, from?: URL): Promise<URL> {
    targetOf(target.href, policy)
    const isHere = isLoopback(target)
    if (policy.privateAddresses || (isHere && (from === undefined || isLoopback(from)))) return target
    // A name that leads nowhere is told of by whoever connects.
    const found = isHere ? [] : await resolve(target.hostname.replace(/^\[|\]$/g, '')).catch(() => [])
    if (isHere || found.some(isInside)) throw new X402Error('private_address', { origin: target.origin })
    return target
  }

  return {
    resolve,
    async fetch(input, init = {}) {
      let url = await look(new URL(input instanceof Request ? input.url : input))
      let request: RequestInit = { ...init, redirect: 'manual' }
      let response = await fetch(input, request)
      for (let hops = 0; (init.redirect ?? 'follow') === 'follow' && hops < MOST_HOPS; hops++) {
        const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null
        if (location === null || !URL.canParse(location, url.href)) break
        const target = await look(new URL(location, url), url)
        await response.body?.cancel()
        request = followed(request, response.status, target.origin === url.origin)
        url = target
        response = await fetch(url, request)
      }
      return response
    },
  }
}

const MOST_HOPS = 5
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** As the Fetch standard has it; what is secret stays with the origin that it was for. */
function followed({ body, ...init }: RequestInit, status: number, isSameOrigin: boolean): RequestInit {
  const method = (init.method ?? 'GET').toUpperCase()
  const isGet = (status === 303 && method !== 'GET' && method !== 'HEAD') || (status < 303 && method === 'POST')
  const headers = new Headers(init.headers)
  if (isGet) for (const name of ['content-type', 'content-length', 'content-encoding']) headers.delete(name)
  if (!isSameOrigin) for (const name of ['authorization', 'cookie', 'proxy-authorization']) headers.delete(name)
  return { ...init, headers, method: isGet ? 'GET' : method, ...(!isGet && body != null && { body }) }
}
