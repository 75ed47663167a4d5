import { type Refusal, refuse } from '@groat/core'
import { nobleEngine, parseSignature, recoverAddress } from '@groat/evm/crypto'
import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose'
import { didOf, type KeyFinder } from './did.js'
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
  /** Ethereum accounts that are believed whatever they sign for. */
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
}

/**
 * Verifies a signed offer: its form, its signature, the signer's right to speak for its URL, and its end. Refuses `offer_signature_invalid`, `offer_signer_not_authorized`, `offer_expired`.
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
  const authority = await authorityOf(opened, trust)
  if (authority === undefined) return refuse('offer_signer_not_authorized')
  const { validUntil = 0 } = opened.payload
  if (validUntil !== 0 && validUntil < trust.now) return refuse('offer_expired')
  return { ok: true, payload: opened.payload, signer: opened.signer, authority }
}

/**
 * Verifies a signed receipt: its form, its signature, the signer's right to speak for its URL, and that it is not of the future. Whether it is of this payment is the caller's to
 * compare. Refuses `receipt_signature_invalid`, `receipt_signer_not_authorized`, `receipt_mismatch`.
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
  const authority = await authorityOf(opened, trust)
  if (authority === undefined) return refuse('receipt_signer_not_authorized')
  if (opened.payload.issuedAt > trust.now + CLOCK_SECONDS) return refuse('receipt_mismatch', 'it is of the future')
  return { ok: true, payload: opened.payload, signer: opened.signer, authority }
}

/** Seconds by which clocks may differ. */
const CLOCK_SECONDS = 60

/** What was signed, and by which key. */
type Opened<Payload> = { readonly payload: Payload; readonly signer: string; readonly bySite: boolean }

async function open<Payload extends OfferPayload | ReceiptPayload>(
  signed: ReceivedArtifact,
  read: (value: unknown) => Payload | undefined,
  asSignable: (payload: Payload) => Parameters<typeof artifactDigest>[1],
  trust: TrustOptions,
): Promise<Opened<Payload> | undefined> {
  if (signed.format === 'eip712') {
    const payload = read(signed.payload)
    const signature = parseSignature(signed.signature)
    if (payload === undefined || signature?.length !== 65) return undefined
    const signer = recoverAddress(nobleEngine, artifactDigest(nobleEngine, asSignable(payload)), signature)
    return signer && { payload, signer, bySite: false }
  }
  return signed.format === 'jws' && signed.payload === undefined ? openJws(signed.signature, read, trust) : undefined
}

/** A JWS counts by the key that the site of its own URL publishes under its `kid`; no other name is looked up. */
async function openJws<Payload extends OfferPayload | ReceiptPayload>(
  jws: string,
  read: (value: unknown) => Payload | undefined,
  { keysOf }: TrustOptions,
): Promise<Opened<Payload> | undefined> {
  try {
    const { alg, kid } = decodeProtectedHeader(jws)
    const [, body = ''] = jws.split('.')
    const bytes = Uint8Array.from(atob(body.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0))
    const payload = read(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
    const host = payload && hostOf(payload.resourceUrl)
    if (payload === undefined || host === undefined || alg === undefined || !ALGORITHMS.includes(alg)) return undefined
    const [did, fragment] = kid?.split('#') ?? []
    if (did !== didOf(host) || fragment === undefined) return undefined
    const jwk = (await keysOf?.(host))?.jwk(fragment)
    if (jwk === undefined) return undefined
    // What a site publishes as a JWK is one, or is refused by the import.
    const key = await importJWK({ ...jwk } as unknown as JWK, alg)
    const { payload: verified } = await compactVerify(jws, key, { algorithms: [...ALGORITHMS] })
    const canonical = canonicalBytes(payload)
    // Another spelling of the same JSON is another text: readers of it could differ.
    if (canonical === undefined || !sameBytes(canonical, verified)) return undefined
    return { payload, signer: kid ?? '', bySite: true }
  } catch {
    return undefined
  }
}

const ALGORITHMS: readonly string[] = ['EdDSA', 'ES256', 'ES256K']

async function authorityOf(
  { payload, signer, bySite }: Opened<OfferPayload | ReceiptPayload>,
  { keysOf, trusted = [], payTo }: TrustOptions,
): Promise<Authority | undefined> {
  if (bySite) return 'site'
  if (trusted.some((account) => account.toLowerCase() === signer)) return 'trusted'
  if (payTo?.toLowerCase() === signer) return 'payee'
  const host = hostOf(payload.resourceUrl)
  const keys = host === undefined ? undefined : await keysOf?.(host)
  return keys?.accounts.includes(signer) ? 'site' : undefined
}

/** The host that a URL is of, with its port; HTTPS alone proves one. */
function hostOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, host, username, password } = new URL(url)
  return protocol === 'https:' && username === '' && password === '' ? host : undefined
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])
