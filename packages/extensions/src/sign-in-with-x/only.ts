import {
  asciiJson,
  type Clock,
  type ErrorCode,
  encodeBase64Text,
  errorInfo,
  network,
  type Random,
  systemClock,
  systemRandom,
  X402Error,
} from '@groat/core'
import { boundedWallets } from '../wallet-questions.js'
import { createAsking, type SignedIn } from './asking.js'
import type { SignInOptions } from './server.js'
import { SIGN_IN_HEADER, signInWithX } from './sign-in.js'

/** Who has signed in: the network is the one that was named. */
export type AskedAccount = Pick<SignedIn, 'network' | 'address'>

/** A handler that costs nothing and serves nobody who has not signed in. */
export type SignedInOnly = SignInOptions & {
  /** Where clients reach this server. */
  readonly origin: string
  /** Whose accounts may sign in: CAIP-2 or v1 names. */
  readonly networks: readonly string[]
  /** What is signed in to; a proof for another scope is foreign. The origin unless told. */
  readonly scope?: string
  /** One line for people. */
  readonly statement?: string
  /** Who of those that have signed in is served; everybody unless told. One that throws serves nobody. */
  readonly allow?: (account: AskedAccount) => boolean | Promise<boolean>
  readonly clock?: Clock
  readonly random?: Random
}

/**
 * A route that asks for a sign-in and for no money: 401 with a challenge for whoever comes without a good proof, 403 for whom the seller does not want, 503 while it cannot tell, and 429 while too many
 * signatures of contract wallets were none. Each proof is
 * good for one request (EXT-SIGN-024). Throws `X402Error` `invalid_config`, `invalid_network`.
 *
 * @example
 * const members = signedInOnly({ store: memorySignIns(), origin: 'https://shop.example', networks: ['base'] })
 * export const GET = members((request, { address }) => Response.json({ hello: address }))
 */
export function signedInOnly(options: SignedInOnly) {
  const { store, engine, maxAgeSeconds = 300, origin, statement, allow = () => true, clock = systemClock } = options
  const wallets = options.wallets && boundedWallets(options.wallets, options.walletQuestions ?? {}, clock)
  const networks = options.networks.map((name) => network(name))
  if (networks.length === 0) throw new X402Error('invalid_config', { field: 'networks', reason: 'is empty' })
  if (statement !== undefined && !/^[\x20-\x7e]{1,256}$/.test(statement)) {
    throw new X402Error('invalid_config', {
      field: 'statement',
      reason: 'one line of at most 256 printable ASCII characters',
    })
  }
  const asking = createAsking({
    ...{ store, wallets, engine, ageMs: maxAgeSeconds * 1000, statement },
    origin: new URL(origin).origin,
    scope: `signed-in ${options.scope ?? new URL(origin).origin}`,
    clock,
    random: options.random ?? systemRandom,
  })

  async function refused(url: string, code: ErrorCode): Promise<Response> {
    const extension = await asking.challenge(url, networks)
    const { title: error } = errorInfo(code)
    const resource = { url }
    const challenge = {
      x402Version: 2,
      error: code,
      resource,
      accepts: [],
      extensions: { [signInWithX.key]: extension },
    }
    const headers = {
      ...PRIVATE,
      'content-type': 'application/json',
      'www-authenticate': `${SIGN_IN_HEADER} realm="${new URL(origin).host}"`,
      'payment-required': encodeBase64Text(asciiJson(challenge)),
    }
    return new Response(JSON.stringify({ ...challenge, code, title: error }), { status: 401, headers })
  }

  return (handler: (request: Request, account: AskedAccount) => Response | Promise<Response>) =>
    async (request: Request): Promise<Response> => {
      const { pathname } = new URL(request.url)
      // A path that begins with two slashes would name another host.
      const url = new URL(origin).origin + pathname
      const header = request.headers.get(SIGN_IN_HEADER)
      if (header === null) return refused(url, 'sign_in_unknown')
      let account: AskedAccount
      try {
        const signed = await asking.judge(header, networks)
        if (!signed.ok && signed.retryAfter !== undefined) {
          return new Response(null, { status: 429, headers: { ...PRIVATE, 'retry-after': String(signed.retryAfter) } })
        }
        if (!signed.ok) return await refused(url, signed.code)
        account = { network: signed.network, address: signed.address }
        if (!(await allow(account))) return new Response(null, { status: 403, headers: PRIVATE })
      } catch {
        return new Response(null, { status: 503, headers: PRIVATE })
      }
      const answer = await handler(request, account)
      const own = new Response(answer.body, answer)
      for (const [name, value] of Object.entries(PRIVATE)) own.headers.set(name, value)
      return own
    }
}

/** No cache may give one account's answer to another. */
const PRIVATE = { 'cache-control': 'private, no-store', vary: SIGN_IN_HEADER }
