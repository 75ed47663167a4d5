import {
  type ExtensionChallenge,
  type ExtensionRoute,
  type ExtensionServer,
  isJsonObject,
  X402Error,
} from '@groat/core'
import type { CryptoEngine } from '@groat/evm/crypto'
import { boundedWallets, type WalletQuestions } from '../wallet-questions.js'
import { createAsking } from './asking.js'
import { SIGN_IN_HEADER, signInWithX } from './sign-in.js'
import type { SignIns } from './sign-ins.js'
import type { WalletVerifier } from './verify.js'

export type { WalletQuestions } from '../wallet-questions.js'
export { formatSignIn, type SignInMessage } from './message.js'
export { type AskedAccount, type SignedInOnly, signedInOnly } from './only.js'
export { readProof } from './proof.js'
export { SIGN_IN_HEADER, type SignInInfo, type SignInProof } from './sign-in.js'
export { memorySignIns, type PaidScope, type SignIns } from './sign-ins.js'
export { type SignedBy, signedBy, type WalletVerifier } from './verify.js'

/** What a seller needs for sign-ins. */
export type SignInOptions = {
  /** Where used proofs and paid scopes are kept: `sqlSignIns(…)`, shared by all replicas, or `memorySignIns()` in one process. */
  readonly store: SignIns
  /** Asks contract wallets; without it they cannot sign in, and keys can. */
  readonly wallets?: WalletVerifier
  /** How often it may be asked for nothing: beyond that sign-ins of contracts are answered 429 (EXT-SIGN-026). */
  readonly walletQuestions?: WalletQuestions
  /** Seconds for which a challenge can be signed. Default 300. */
  readonly maxAgeSeconds?: number
  readonly engine?: CryptoEngine
}

/**
 * The seller's half of `sign-in-with-x`: a payer of a bundle or a pass who signs the challenge is served by what it has bought, without its token and on any device. What is opened is
 * the route's own scope, as the gate wrote it down when the payment was settled: nothing of it is read from the payment's `resource`. Challenges are the server's own, are used once, and hold
 * for the configured origin. A route declares it as `true`, or `{ statement }`; it has to sell a bundle or a pass, and the paywall needs its `origin`.
 *
 * @example
 * const paid = paywall({ ...shop, origin: 'https://shop.example', extensions: [signIns({ store: memorySignIns() })] })
 * app.get('/feed', paid({ price: '$0.50', pass: '30d', extensions: { 'sign-in-with-x': true } }), feed)
 */
export function signIns({
  store,
  wallets,
  walletQuestions = {},
  maxAgeSeconds = 300,
  engine,
}: SignInOptions): ExtensionServer {
  if (!(maxAgeSeconds > 0)) throw new X402Error('invalid_config', { field: 'maxAgeSeconds', value: maxAgeSeconds })
  // One for all routes.
  let bounded: WalletVerifier | undefined
  return {
    extension: signInWithX,
    declare: (options, route) => {
      const statement = readStatement(options)
      const { origin, scope } = boundTo(route)
      const { clock, random } = route
      bounded ??= wallets && boundedWallets(wallets, walletQuestions, clock)
      const asking = createAsking({
        store,
        wallets: bounded,
        engine,
        ageMs: maxAgeSeconds * 1000,
        origin,
        scope,
        statement,
        clock,
        random,
      })

      return {
        enrich: ({ resource, offers }) => asking.challenge(resource.url, networksOf(offers)),
        admit: async ({ request, offers }) => {
          const header = request.header(SIGN_IN_HEADER)
          if (!header) return undefined
          const signed = await asking.judge(header, networksOf(offers))
          return signed.ok ? { ok: true, payer: signed.address, paid: signed.paid } : signed
        },
        granted: ({ pid, payer, network, expiresAt }) =>
          asking.record({ pid, network, ...(expiresAt === undefined ? {} : { expiresAt }) }, payer),
      }
    },
  }
}

const networksOf = (offers: ExtensionChallenge['offers']): readonly string[] => offers.map(({ network }) => network)

function readStatement(options: unknown): string | undefined {
  if (options === true) return undefined
  const { statement, ...others } = isJsonObject(options) ? options : { statement: null }
  const isLine = typeof statement === 'string' && /^[\x20-\x7e]{1,256}$/.test(statement)
  if ((statement === undefined || isLine) && Object.keys(others).length === 0) return statement
  const reason = 'true, or { statement } in one line of at most 256 printable ASCII characters'
  throw new X402Error('invalid_config', { field: `extensions.${signInWithX.key}`, reason })
}

function boundTo({ origin, scope }: ExtensionRoute): { readonly origin: string; readonly scope: string } {
  const field = `extensions.${signInWithX.key}`
  if (origin === undefined) {
    throw new X402Error('invalid_config', {
      field,
      reason: 'the paywall needs its origin: what a request names is its sender’s word',
    })
  }
  if (scope === undefined)
    throw new X402Error('invalid_config', { field, reason: 'the route sells no bundle and no pass' })
  return { origin, scope }
}
