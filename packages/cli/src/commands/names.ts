import { pinnedNames } from '@groat/client/undici'
import type { Fetch } from '@groat/core'
import { Agent } from 'undici'

/** One view of names for the policy and for the sockets, so that a name cannot begin to lead elsewhere between the two. */
export function checkedNames(): {
  readonly resolve: (name: string) => Promise<readonly string[]>
  readonly fetch: Fetch
} {
  const names = pinnedNames()
  const dispatcher = new Agent({ connect: { lookup: names.lookup } })
  return {
    resolve: names.resolve,
    // Node's own fetch takes a dispatcher; the types of the platform do not know it.
    fetch: (input, init) => globalThis.fetch(input, { ...init, dispatcher } as RequestInit),
  }
}
