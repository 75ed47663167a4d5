import {
  canonicalAddress,
  type ExtensionChallenge,
  type ExtensionRoute,
  type ExtensionServer,
  isJsonObject,
  type Random,
  refuse,
  X402Error,
} from '@groat/core'
import type { CryptoEngine } from '@groat/evm/crypto'
import { readProof } from './proof.js'
import { SIGN_IN_HEADER, type SignInProof, signatureType, signInWithX, WIRE_SCHEMA } from './sign-in.js'
import type { SignIns } from './sign-ins.js'
import { signedBy, type WalletVerifier } from './verify.js'

export { formatSignIn, type SignInMessage } from './message.js'
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
export function signIns({ store, wallets, maxAgeSeconds = 300, engine }: SignInOptions): ExtensionServer {
  if (!(maxAgeSeconds > 0)) throw new X402Error('invalid_config', { field: 'maxAgeSeconds', value: maxAgeSeconds })
  return {
    extension: signInWithX,
    declare: (options, route) => {
      const statement = readStatement(options)
      const { origin, scope } = boundTo(route)
      const { host } = new URL(origin)
      const nonces = createNonces(store.key, scope, route.random)
      const ageMs = maxAgeSeconds * 1000

      return {
        enrich: async ({ resource, offers }) => {
          const chains = chainsOf(offers)
          if (chains.length === 0) return undefined
          const now = route.clock()
          const times = { issuedAt: new Date(now).toISOString(), expirationTime: new Date(now + ageMs).toISOString() }
          const terms = { domain: host, uri: resource.url, ...times }
          const info = {
            ...terms,
            version: '1',
            nonce: await nonces.make(terms),
            resources: [resource.url],
            ...(statement === undefined ? {} : { statement }),
          }
          return { info, supportedChains: chains, schema: WIRE_SCHEMA }
        },

        admit: async ({ request, offers }) => {
          const header = request.header(SIGN_IN_HEADER)
          if (!header) return undefined
          const proof = readProof(header)
          if (proof === undefined) return refuse('sign_in_invalid')
          if (proof.domain !== host || !isBelow(proof.uri, origin) || !(await nonces.isOurs(proof))) {
            return refuse('sign_in_foreign')
          }
          if (!chainsOf(offers).some(({ chainId, type }) => chainId === proof.chainId && type === proof.type)) {
            return refuse('sign_in_foreign', 'the chain is not among those of the challenge')
          }
          const now = route.clock()
          if (!isTimely(proof, now, ageMs)) return refuse('sign_in_expired')
          const by = await signedBy(proof, { ...(wallets && { wallets }), ...(engine && { engine }) })
          if (by === undefined) return refuse('sign_in_invalid')
          if (!(await store.consume(proof.nonce, now + ageMs + SKEW_MS))) return refuse('sign_in_replayed')
          const paid = await store.paid(accountOf(proof.chainId, proof.address), scope)
          // A contract of that address on another chain may be somebody else's.
          const own = by === 'key' ? paid : paid.filter(({ network }) => network === proof.chainId)
          return { ok: true, payer: proof.address, paid: own.map(({ pid }) => pid) }
        },

        granted: async ({ pid, payer, network, scope, expiresAt }) => {
          const paid = { pid, network, ...(expiresAt === undefined ? {} : { expiresAt }) }
          await store.record(accountOf(network, payer), scope, paid)
        },
      }
    },
  }
}

/** Milliseconds by which clocks may differ. */
const SKEW_MS = 30_000

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

/** The networks of the offers, each with the way in which its accounts sign. */
function chainsOf(offers: ExtensionChallenge['offers']) {
  const networks = [...new Set(offers.map(({ network }) => network))]
  return networks.flatMap((chainId) => {
    const type = signatureType(chainId)
    return type === undefined ? [] : [{ chainId, type }]
  })
}

/** An account, the same in every spelling; case counts where it does on chain. */
function accountOf(network: string, address: string): string {
  return `${network.slice(0, network.indexOf(':'))}:${canonicalAddress(address)}`
}

/** Whether a URL is of the configured origin. */
function isBelow(uri: string, origin: string): boolean {
  return URL.canParse(uri) && new URL(uri).origin === new URL(origin).origin
}

function isTimely({ issuedAt, expirationTime, notBefore }: SignInProof, now: number, ageMs: number): boolean {
  const issued = Date.parse(issuedAt)
  const expires = expirationTime === undefined ? issued + ageMs : Date.parse(expirationTime)
  const begins = notBefore === undefined ? issued : Date.parse(notBefore)
  // What is no time compares as false.
  return issued <= now + SKEW_MS && now < issued + ageMs + SKEW_MS && now < expires + SKEW_MS && begins <= now + SKEW_MS
}

type Bound = Pick<SignInProof, 'domain' | 'uri' | 'issuedAt' | 'expirationTime'>

/** Nonces that say by themselves that we made them, and for which challenge: nothing is stored until one is used. */
function createNonces(key: Uint8Array<ArrayBuffer>, scope: string, random: Random) {
  const { subtle } = globalThis.crypto
  let imported: ReturnType<typeof subtle.importKey> | undefined
  const markOf = async (salt: string, { domain, uri, issuedAt, expirationTime }: Bound): Promise<string> => {
    imported ??= subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    const text = JSON.stringify(['sign-in', scope, domain, uri, issuedAt, expirationTime, salt])
    const mark = await subtle.sign('HMAC', await imported, new TextEncoder().encode(text))
    return hexOf(new Uint8Array(mark).subarray(0, 16))
  }
  return {
    make: async (challenge: Bound): Promise<string> => {
      const salt = hexOf(random(8))
      return salt + (await markOf(salt, challenge))
    },
    isOurs: async (proof: SignInProof): Promise<boolean> => {
      if (!/^[0-9a-f]{48}$/.test(proof.nonce)) return false
      const mark = await markOf(proof.nonce.slice(0, 16), proof)
      return isSame(proof.nonce.slice(16), mark)
    },
  }
}

/** Compares without telling where two texts differ. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at)
  return difference === 0
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
