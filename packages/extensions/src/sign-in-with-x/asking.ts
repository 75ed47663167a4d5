import { type Clock, canonicalAddress, type JsonObject, type Pid, type Random, type Refusal, refuse } from '@groat/core'
import type { CryptoEngine } from '@groat/evm/crypto'
import { TooManyQuestions } from '../wallet-questions.js'
import { readProof } from './proof.js'
import { type SignInProof, signatureType, WIRE_SCHEMA } from './sign-in.js'
import type { SignIns } from './sign-ins.js'
import { signedBy, type WalletVerifier } from './verify.js'

/** What sign-ins are asked for with. */
export type AskingOptions = {
  readonly store: SignIns
  /** Bounded: strangers make it ask. */
  readonly wallets?: WalletVerifier | undefined
  readonly engine?: CryptoEngine | undefined
  /** Milliseconds for which a challenge can be signed. */
  readonly ageMs: number
  readonly origin: string
  /** What is signed in to: proofs for another scope are foreign. */
  readonly scope: string
  readonly statement?: string | undefined
  readonly clock: Clock
  readonly random: Random
}

/** Somebody who has signed in. */
export type SignedIn = {
  readonly ok: true
  /** CAIP-2: the chain that was named; a contract answers for no other. */
  readonly network: string
  readonly address: string
  readonly paid: readonly Pid[]
}

/** Asks for sign-ins in one name, and judges what comes back. */
export interface Asking {
  /** The challenge for accounts of these networks; `undefined` where none of them can sign. */
  challenge(url: string, networks: readonly string[]): Promise<JsonObject | undefined>
  /** Who a header proves; throws where what is needed cannot be looked up. */
  judge(header: string, networks: readonly string[]): Promise<SignedIn | Refusal>
  /** Remembers what a payment has opened. */
  record(
    paid: { readonly pid: Pid; readonly network: string; readonly expiresAt?: number },
    payer: string,
  ): Promise<void>
}

/** What a seller asks by. Challenges say by themselves that they are its own, so that none is kept. */
export function createAsking(options: AskingOptions): Asking {
  const { store, wallets, engine, ageMs, origin, scope, statement, clock, random } = options
  const { host } = new URL(origin)
  const nonces = createNonces(store.key, scope, random)
  return {
    async challenge(url, networks) {
      const chains = chainsOf(networks)
      if (chains.length === 0) return undefined
      const now = clock()
      const times = { issuedAt: new Date(now).toISOString(), expirationTime: new Date(now + ageMs).toISOString() }
      const terms = { domain: host, uri: url, ...times }
      const info = {
        ...terms,
        version: '1',
        nonce: await nonces.make(terms),
        resources: [url],
        ...(statement === undefined ? {} : { statement }),
      }
      return { info, supportedChains: chains, schema: WIRE_SCHEMA }
    },

    async judge(header, networks) {
      const proof = readProof(header)
      if (proof === undefined) return refuse('sign_in_invalid')
      if (proof.domain !== host || !isBelow(proof.uri, origin) || !(await nonces.isOurs(proof))) {
        return refuse('sign_in_foreign')
      }
      if (!chainsOf(networks).some(({ chainId, type }) => chainId === proof.chainId && type === proof.type)) {
        return refuse('sign_in_foreign', 'the chain is not among those of the challenge')
      }
      const now = clock()
      if (!isTimely(proof, now, ageMs)) return refuse('sign_in_expired')
      const by = await signedBy(proof, { ...(wallets && { wallets }), ...(engine && { engine }) }).catch(
        (error: unknown) => {
          if (error instanceof TooManyQuestions) return error.refusal
          throw error
        },
      )
      if (typeof by === 'object') return by
      if (by === undefined) return refuse('sign_in_invalid')
      // Remembered for longer than any clock can take it for good, also by a database whose clock is ahead.
      if (!(await store.consume(proof.nonce, now + ageMs + 10 * SKEW_MS))) return refuse('sign_in_replayed')
      const paid = await store.paid(accountOf(proof.chainId, proof.address), scope)
      // A contract of that address on another chain may be somebody else's.
      const own = by === 'key' ? paid : paid.filter(({ network }) => network === proof.chainId)
      return { ok: true, network: proof.chainId, address: proof.address, paid: own.map(({ pid }) => pid) }
    },

    record: (paid, payer) => store.record(accountOf(paid.network, payer), scope, paid),
  }
}

/** Milliseconds by which clocks may differ. */
const SKEW_MS = 30_000

/** Networks, each with the way in which its accounts sign. */
function chainsOf(networks: readonly string[]) {
  return [...new Set(networks)].flatMap((chainId) => {
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
