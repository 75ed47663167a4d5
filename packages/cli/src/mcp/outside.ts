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
  /** Throws for what `fetch` would not ask. */
  readonly look: (target: URL) => Promise<unknown>
}

/**
 * A `fetch` for an agent. Private networks are asked only where the policy allows them (`privateAddresses`); this machine also where the policy's `origins`
 * name it, or the user does (`named`). Where an answer redirects to is looked at like what the agent asks for itself, and leads to this machine only from
 * there. Throws `X402Error` `private_address`, and what `targetOf` throws.
 */
export function outsideOf(policy: SpendingPolicy, named: readonly string[] = [], names = checkedNames()): Outside {
  const { resolve, fetch } = names
  const ofUser = new Set(named.map(originOf))
  const ofPolicy = new Set((policy.origins ?? []).filter((origin) => URL.canParse(origin)).map(originOf))

  async function look(target: URL, from?: URL): Promise<URL> {
    const isOfUser = ofUser.has(target.origin)
    // What the user has named is asked as the user would.
    if (isOfUser && from === undefined) return target
    targetOf(target.href, policy)
    if (policy.privateAddresses) return target
    if (isLoopback(target)) {
      const isNamed = isOfUser || ofPolicy.has(target.origin)
      if (isNamed && (from === undefined || isLoopback(from))) return target
      throw new X402Error('private_address', { origin: target.origin })
    }
    const found = await resolve(target.hostname.replace(/^\[|\]$/g, '')).catch((cause: unknown) => {
      // As whoever connects would tell of it: by then it may lead inside, so nobody does.
      throw new TypeError('fetch failed', { cause })
    })
    if (found.some(isInside)) throw new X402Error('private_address', { origin: target.origin })
    return target
  }

  return {
    resolve,
    look: (target) => look(target),
    async fetch(input, init = {}) {
      const redirect = init.redirect ?? 'follow'
      let url = await look(new URL(input instanceof Request ? input.url : input))
      let request: RequestInit = { ...init, redirect: redirect === 'error' ? 'error' : 'manual' }
      let response = await fetch(input, request)
      for (let hops = 0; redirect === 'follow' && hops < MOST_HOPS; hops++) {
        const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null
        if (location === null || !URL.canParse(location, url.href)) break
        // Nobody waits for it: what another copy is held of never ends.
        response.body?.cancel().catch(() => undefined)
        const target = await look(new URL(location, url), url)
        request = followed(request, response.status, target.origin === url.origin)
        url = target
        response = await fetch(url, request)
      }
      return response
    },
  }
}

const originOf = (url: string) => new URL(url).origin
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
