import { canonicalJson, isJsonObject, type JsonObject, type Refusal, refuse, sha256Hex } from '@groat/core'
import { formatHex, nobleEngine, parseSignature, recoverAddress } from '@groat/evm/crypto'
import { encodeBase58 } from '@groat/svm/wire'
import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose'
import { didOf, type KeyFinder } from './did.js'
import { isSameKey, jwkOfDidKey, publicPart } from './did-key.js'
import { artifactDigest } from './digest.js'
import {
  canonicalBytes,
  type OfferPayload,
  type ReceiptPayload,
  type ReceivedArtifact,
  readPayload,
} from './offer-receipt.js'

/** What lets a signer speak for a URL: the site's own document, the account that is paid, or whoever verifies. */
export type Authority = 'site' | 'payee' | 'trusted'

/** Who is believed. */
export type TrustOptions = {
  /** Looks up what a site publishes: `didWebKeys()`. Without it nothing is fetched, and no site can vouch for a signer. */
  readonly keysOf?: KeyFinder
  /** Ethereum accounts, and keys as `did:key:z…`, that are believed whatever they sign for. */
  readonly trusted?: readonly string[]
  /** The account that is paid. Its word counts for what it is paid for. */
  readonly payTo?: string
  /** Seconds since 1970. */
  readonly now: number
}

/** An offer or a receipt whose signature is good, by somebody who may speak for its URL. */
export type Verified<Payload> = {
  readonly ok: true
  readonly payload: Payload
  /** An Ethereum account, or the name of a key. */
  readonly signer: string
  readonly authority: Authority
  /** Where the site vouches for the signer: its document, to be kept for whoever verifies this later (EXT-OFFER-025). */
  readonly document?: string
}

/**
 * Verifies a signed offer: its form, its signature, the signer's right to speak for its URL, and its end. Refuses `offer_signature_invalid`, `offer_signer_not_authorized` (also where the key that it
 * names is not to be had: what nobody here can check is not wrong), `offer_expired`.
 *
 * @example
 * const verdict = await verifyOffer(signed, { keysOf: didWebKeys(), now: Date.now() / 1000 })
 */
export async function verifyOffer(
  signed: ReceivedArtifact,
  trust: TrustOptions,
): Promise<Verified<OfferPayload> | Refusal> {
  const opened = await open(
    signed,
    (value) => readPayload('offer', value),
    (payload) => ({ kind: 'offer', payload }),
    trust,
  )
  if (opened === undefined) return refuse('offer_signature_invalid')
  if (opened === 'unknown') return refuse('offer_signer_not_authorized')
  const authority = await authorityOf(opened, trust)
  if (authority === undefined) return refuse('offer_signer_not_authorized')
  const { validUntil = 0 } = opened.payload
  if (validUntil !== 0 && validUntil < trust.now) return refuse('offer_expired')
  return {
    ok: true,
    payload: opened.payload,
    signer: opened.signer,
    authority,
    ...(await kept(opened, authority, trust)),
  }
}

/**
 * Verifies a signed receipt: its form, its signature, the signer's right to speak for its URL, and that it is not of the future. Whether it is of this payment is the caller's to
 * compare. Refuses `receipt_signature_invalid`, `receipt_signer_not_authorized` (as for offers), `receipt_mismatch`.
 *
 * @example
 * const verdict = await verifySignedReceipt(signed, { keysOf: didWebKeys(), now: Date.now() / 1000 })
 */
export async function verifySignedReceipt(
  signed: ReceivedArtifact,
  trust: TrustOptions,
): Promise<Verified<ReceiptPayload> | Refusal> {
  const opened = await open(
    signed,
    (value) => readPayload('receipt', value),
    (payload) => ({ kind: 'receipt', payload }),
    trust,
  )
  if (opened === undefined) return refuse('receipt_signature_invalid')
  if (opened === 'unknown') return refuse('receipt_signer_not_authorized')
  const authority = await authorityOf(opened, trust)
  if (authority === undefined) return refuse('receipt_signer_not_authorized')
  if (opened.payload.issuedAt > trust.now + CLOCK_SECONDS) return refuse('receipt_mismatch', 'it is of the future')
  return {
    ok: true,
    payload: opened.payload,
    signer: opened.signer,
    authority,
    ...(await kept(opened, authority, trust)),
  }
}

/** The document that vouches for a signer, as it was found. */
async function kept(
  { payload }: Opened<OfferPayload | ReceiptPayload>,
  authority: Authority,
  { keysOf }: TrustOptions,
): Promise<{ readonly document?: string }> {
  const host = authority === 'site' ? hostOf(payload.resourceUrl) : undefined
  const document = host === undefined ? undefined : (await keysOf?.(host))?.document
  return document === undefined ? {} : { document }
}

/** Seconds by which clocks may differ. */
const CLOCK_SECONDS = 60

/** What was signed, and by which key. */
type Opened<Payload> = {
  readonly payload: Payload
  readonly signer: string
  readonly bySite: boolean
  /** The key of a JWS, where no site names it. */
  readonly jwk?: JsonObject
}

async function open<Payload extends OfferPayload | ReceiptPayload>(
  signed: ReceivedArtifact,
  read: (value: unknown) => Payload | undefined,
  asSignable: (payload: Payload) => Parameters<typeof artifactDigest>[1],
  trust: TrustOptions,
): Promise<Opened<Payload> | 'unknown' | undefined> {
  if (signed.format === 'eip712') {
    const payload = read(signed.payload)
    const signature = parseSignature(signed.signature)
    if (payload === undefined || signature?.length !== 65) return undefined
    const signer = recoverAddress(nobleEngine, artifactDigest(nobleEngine, asSignable(payload)), signature)
    return signer && { payload, signer, bySite: false }
  }
  return signed.format === 'jws' && signed.payload === undefined ? openJws(signed.signature, read, trust) : undefined
}

/** A JWS counts by the key that the site of its own URL publishes under its `kid`, by the key that a `did:key` is, or by the one that it brings; no other name is looked up. */
async function openJws<Payload extends OfferPayload | ReceiptPayload>(
  jws: string,
  read: (value: unknown) => Payload | undefined,
  { keysOf }: TrustOptions,
): Promise<Opened<Payload> | 'unknown' | undefined> {
  try {
    const { alg, kid = '', jwk: brought } = decodeProtectedHeader(jws)
    const [, body = ''] = jws.split('.')
    const payload = read(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(body))))
    const host = payload && hostOf(payload.resourceUrl)
    if (payload === undefined || host === undefined || alg === undefined || !ALGORITHMS.includes(alg)) return undefined
    const found = await keyFor(kid, brought, host, keysOf)
    if (found === undefined || found === 'unknown') return found
    const { jwk, ...about } = found
    // What somebody publishes as a JWK is one, or is refused by the import.
    const key = await importJWK(publicPart(jwk) as unknown as JWK, alg)
    const { payload: verified } = await compactVerify(jws, key, { algorithms: [...ALGORITHMS] })
    const canonical = canonicalBytes(payload)
    // Another spelling of the same JSON is another text: readers of it could differ.
    if (canonical === undefined || !sameBytes(canonical, verified)) return undefined
    return { payload, ...about, ...(about.bySite ? {} : { jwk }) }
  } catch {
    return undefined
  }
}

type Key = { readonly jwk: JsonObject; readonly signer: string; readonly bySite: boolean }

/** The key that a JWS names. `unknown`: it is not to be had here. `undefined`: it is none, or another than the header brings. */
async function keyFor(
  kid: string,
  brought: unknown,
  host: string,
  keysOf: KeyFinder | undefined,
): Promise<Key | 'unknown' | undefined> {
  const [did = '', fragment = ''] = kid.split('#')
  // The header of a stranger is JSON, and a private key in it is nobody's any more.
  const own = brought === undefined ? undefined : (brought as JsonObject)
  if (fragment === '' || (own !== undefined && (!isJsonObject(own) || own.d !== undefined))) return undefined
  const isSite = did === didOf(host)
  const named = isSite ? (await keysOf?.(host))?.jwk(fragment) : jwkOfDidKey(did)
  if (named === undefined && did.startsWith('did:key:')) return undefined
  if (named !== undefined && own !== undefined && !isSameKey(named, own)) return undefined
  const jwk = named ?? own
  if (jwk === undefined) return 'unknown'
  // A name counts where it was looked up, or is its key; what a header alone calls its key is nobody's word.
  const signer = named === undefined ? nameOf(jwk) : isSite ? kid : did
  return { jwk, signer, bySite: isSite && named !== undefined }
}

const ALGORITHMS: readonly string[] = ['EdDSA', 'ES256', 'ES256K']

async function authorityOf(
  { payload, signer, bySite, jwk }: Opened<OfferPayload | ReceiptPayload>,
  { keysOf, trusted = [], payTo }: TrustOptions,
): Promise<Authority | undefined> {
  if (bySite) return 'site'
  const account = jwk === undefined ? signer : accountOf(jwk)
  // A name that a header claims proves nothing; a did:key is its key.
  const names = [account, ...(signer.startsWith('did:key:') ? [signer] : [])]
  if (trusted.some((each) => names.includes(each) || names.includes(each.toLowerCase()))) return 'trusted'
  if (account !== undefined && (payTo === account || payTo?.toLowerCase() === account)) return 'payee'
  const host = hostOf(payload.resourceUrl)
  const keys = host === undefined ? undefined : await keysOf?.(host)
  if (jwk !== undefined) return keys?.jwks?.some((each) => isSameKey(each, jwk)) ? 'site' : undefined
  return keys?.accounts.includes(signer) ? 'site' : undefined
}

/** What a key is called that only its own header names: the account that it is, or its hash (RFC 7638). */
function nameOf(jwk: JsonObject): string {
  const { crv = '', kty = '', x = '', ...more } = publicPart(jwk)
  return accountOf(jwk) ?? `jwk:${sha256Hex(canonicalJson({ crv, kty, x, ...more }))}`
}

/** The account that a key is on a chain: an address of Ethereum, in lower case, or of Solana. */
function accountOf({ crv, x, y }: JsonObject): string | undefined {
  const [first, second] = [x, y].map((part) => (typeof part === 'string' ? bytesOf(part) : undefined))
  if (crv === 'Ed25519') return first?.length === 32 ? encodeBase58(first) : undefined
  if (crv !== 'secp256k1' || first?.length !== 32 || second?.length !== 32) return undefined
  return formatHex(nobleEngine.keccak256(Uint8Array.from([...first, ...second])).subarray(12))
}

const bytesOf = (text: string): Uint8Array | undefined => {
  try {
    return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0))
  } catch {
    return undefined
  }
}

/** The host that a URL is of, with its port; HTTPS alone proves one. */
function hostOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, host, username, password } = new URL(url)
  return protocol === 'https:' && username === '' && password === '' ? host : undefined
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])
