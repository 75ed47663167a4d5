import { decodeChallenge, type Fetch, isJsonObject, type JsonObject } from '@groat/core'
import { type SignInAccounts, signedInFetch, signInWithAccounts } from '@groat/extensions/sign-in-with-x/client'
import { evmAccounts, svmAccounts } from '@groat/sandbox'
import { CliError } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { accountOf, type FoundKey, isLoopback, readKeys, type WalletOptions } from './wallet.js'

/** A `fetch` that signs in first, and what came of it. */
export type SigningIn = {
  readonly fetch: Fetch
  /** What the first answer to the request was. `opened`: signing in was enough. `offered`: the seller knows sign-ins, and nobody signed in. */
  readonly found: () => 'opened' | 'refused' | 'offered' | undefined
}

/**
 * Signs in where the first answer offers that, once, to the origin that was asked: what that does not open is answered as it was. Without accounts it only looks.
 *
 * @example
 * const { fetch, found } = signingIn(globalThis.fetch, { evm: account })
 */
export function signingIn(fetch: Fetch, accounts: SignInAccounts | undefined): SigningIn {
  let found: ReturnType<SigningIn['found']>
  let isFirst = true
  return {
    found: () => found,
    async fetch(input, init) {
      const answer = await fetch(input, init)
      if (!isFirst) return answer
      isFirst = false
      const announced = announcedIn(answer)
      if (announced === undefined) return answer
      found = 'offered'
      if (accounts === undefined) return answer
      const signed = await (answer.status === 401 ? after401(answer) : after402(answer))
      found = signed.ok ? 'opened' : 'refused'
      const [taken, left] = signed.ok ? [signed, answer] : [answer, signed]
      // Not waited for: it does not end while somebody holds a copy.
      if (left !== taken) left.body?.cancel().catch(() => {})
      return taken

      async function after402(asked: Response): Promise<Response> {
        const challenge = challengeIn(asked)
        const requested = new URL(input instanceof Request ? input.url : input)
        const url = new URL(asked.url || requested)
        if (challenge === undefined || announced === undefined || url.origin !== requested.origin) return asked
        const proof = await signInWithAccounts(accounts ?? {}).present?.(announced, { challenge, url, clock: Date.now })
        if (proof === undefined) return asked
        const headers = new Headers(init?.headers)
        for (const [name, value] of Object.entries(proof)) headers.set(name, value)
        return fetch(url, { ...init, headers, redirect: 'manual' })
      }

      async function after401(asked: Response): Promise<Response> {
        let held: Response | undefined = asked.clone()
        const replay: typeof globalThis.fetch = async (...again) => {
          const first = held
          held = undefined
          return first ?? fetch(...again)
        }
        return signedInFetch(accounts ?? {}, replay)(input, init)
      }
    },
  }
}

const KEY = 'sign-in-with-x'

function challengeIn({ status, headers }: Response) {
  const read = status === 402 ? decodeChallenge((name) => headers.get(name)) : undefined
  return read?.ok ? read.value : undefined
}

function announcedIn(answer: Response): JsonObject | undefined {
  const named = challengeIn(answer)?.extensions?.[KEY]
  if (isJsonObject(named)) return named
  // What a 401 holds, `signedInFetch` reads.
  return answer.status === 401 && answer.headers.has('payment-required') ? {} : undefined
}

/** The user's accounts, for signing in: of each family the first. Throws a usage error where the key is elsewhere, or another's. */
export async function signInAccounts(target: URL, options: WalletOptions, io: Io): Promise<SignInAccounts> {
  if (options.session !== undefined || (options.signer ?? io.environment.GROAT_SIGNER) !== undefined) {
    const who =
      options.session === undefined
        ? 'A remote signer signs payments alone'
        : 'A session key is not the account that pays'
    throw new CliError('usage', `${who}: nobody can sign in`, 'Leave --sign-in out, or `sign_in` in the policy.')
  }
  const keys = await readKeys(options, io.environment)
  const found = keys.length > 0 || !isLoopback(target) ? keys : sandboxKeys
  const [evm] = found.flatMap((key) => accountOf(key).evm ?? [])
  const [svm] = found.flatMap((key) => accountOf(key).svm ?? [])
  return { ...(evm && { evm }), ...(svm && { svm }) }
}

/** Published keys, which have test money on a sandbox alone. */
export const sandboxKeys: readonly FoundKey[] = [evmAccounts[0].privateKey, svmAccounts[0].secretKey].map((key) => ({
  key,
  from: 'the sandbox',
}))
