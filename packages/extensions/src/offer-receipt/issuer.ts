import { X402Error } from '@groat/core'
import { formatHex, nobleEngine } from '@groat/evm/crypto'
import { CompactSign, importJWK, type JWK } from 'jose'
import { artifactDigest, domainOf, messageOfOffer, messageOfReceipt, TYPES } from './digest.js'
import { canonicalBytes, type Signable, type SignedArtifact } from './offer-receipt.js'

/** Whoever signs offers and receipts. */
export interface ArtifactIssuer {
  sign(what: Signable): Promise<SignedArtifact>
}

/** An account that signs typed data or digests: a viem account, or `privateKeyAccount` of `@groat/evm`. */
export type TypedDataAccount =
  | { readonly address: string; signDigest(digest: Uint8Array): Promise<Uint8Array> }
  | { readonly address: string; signTypedData(data: never): Promise<string> }

/**
 * Signs by EIP-712, with the key of an Ethereum account.
 *
 * @example
 * const issuer = typedDataIssuer(privateKeyAccount(process.env.RECEIPT_KEY ?? ''))
 */
export function typedDataIssuer(account: TypedDataAccount): ArtifactIssuer {
  return {
    async sign(what) {
      const signature =
        'signDigest' in account
          ? formatHex(await account.signDigest(artifactDigest(nobleEngine, what)))
          : // The account takes typed data of any type; its own types cannot say so here.
            await account.signTypedData(typedDataOf(what) as never)
      return { format: 'eip712', payload: written(what), signature }
    },
  }
}

/** What is signed as nothing is written as nothing: widely used verifiers read every field of the type. */
const written = (what: Signable): Signable['payload'] =>
  what.kind === 'offer'
    ? { ...what.payload, validUntil: what.payload.validUntil ?? 0 }
    : { ...what.payload, transaction: what.payload.transaction ?? '' }

function typedDataOf(what: Signable) {
  const domain = domainOf(what.kind)
  return what.kind === 'offer'
    ? { domain, types: { Offer: TYPES.Offer }, primaryType: 'Offer', message: messageOfOffer(what.payload) }
    : { domain, types: { Receipt: TYPES.Receipt }, primaryType: 'Receipt', message: messageOfReceipt(what.payload) }
}

/** A private key for JWS, and the name under which its public half is published. */
export type JwsKey = {
  /** A DID URL: `did:web:shop.example#key-1`. */
  readonly kid: string
  readonly alg: 'EdDSA' | 'ES256' | 'ES256K'
  readonly jwk: JWK
  /** Whether signatures bring the public half along (`jwk` in their header), for verifiers that keep no document. Default false. */
  readonly bringsKey?: boolean
}

/**
 * Signs as compact JWS over canonical JSON (RFC 8785).
 * Throws `X402Error` `invalid_config` for a key that is none of that algorithm.
 *
 * @example
 * const issuer = await jwsIssuer({ kid: 'did:web:shop.example#key-1', alg: 'EdDSA', jwk })
 */
export async function jwsIssuer({ kid, alg, jwk, bringsKey = false }: JwsKey): Promise<ArtifactIssuer> {
  if (!/^did:[a-z]+:[^#\s]+#[^#\s]+$/.test(kid)) {
    throw new X402Error('invalid_config', { field: 'kid', reason: 'a DID URL, such as did:web:shop.example#key-1' })
  }
  const key = await importJWK(jwk, alg).catch((cause: unknown) => {
    throw new X402Error('invalid_config', { field: 'jwk', reason: `is no key for ${alg}` }, { cause })
  })
  const { kty, crv, x, y } = jwk
  const half = { kty, crv, x, ...(y === undefined ? {} : { y }) } as JWK
  const header = { alg, kid, ...(bringsKey ? { jwk: half } : {}) }
  return {
    async sign({ payload }) {
      const bytes = canonicalBytes(payload)
      if (bytes === undefined) throw new X402Error('signer_failed', { reason: 'what is to be signed is no Unicode' })
      const signature = await new CompactSign(bytes).setProtectedHeader(header).sign(key)
      return { format: 'jws', signature }
    },
  }
}
