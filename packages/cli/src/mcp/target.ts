import type { SpendingPolicy } from '@groat/client/buyer'
import { X402Error } from '@groat/core'
import { parseTarget } from '../commands/request-options.js'
import { isLoopback } from '../commands/wallet.js'

/**
 * A URL that an agent names. It is not even asked where it could not be paid: what a stranger makes an agent ask for stays on the outside.
 * Throws `X402Error` `insecure_origin` for http elsewhere than on this machine, `origin_not_allowed` for what is not among the policy's origins.
 */
export function targetOf(url: string, { origins }: Pick<SpendingPolicy, 'origins'>): URL {
  const target = parseTarget(url)
  const { origin } = target
  if (target.protocol !== 'https:' && !isLoopback(target)) throw new X402Error('insecure_origin', { origin })
  if (origins?.some((allowed) => URL.canParse(allowed) && new URL(allowed).origin === origin) === false) {
    throw new X402Error('origin_not_allowed', { origin })
  }
  return target
}
