import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { type Hex, recoverTypedDataAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { isObject } from '../http/exchange.js'
import { parseJson } from '../model/json.js'

/** A signed offer or a signed receipt, as it came. */
export type Artifact = {
  readonly format: unknown
  readonly payload: Readonly<Record<string, unknown>>
  readonly signature: string
}

/** Reads one; undefined for what is none. The payload of a JWS is the one that it holds. */
export function readArtifact(value: unknown): Artifact | undefined {
  if (!isObject(value) || typeof value.signature !== 'string') return undefined
  const { format, signature } = value
  const [, body = ''] = signature.split('.')
  const payload = format === 'jws' ? parseJson(Buffer.from(body, 'base64url').toString('utf8')) : value.payload
  return isObject(payload) ? { format, payload, signature } : undefined
}

/** Who signed by EIP-712; undefined when nobody can have. */
export async function artifactSigner(
  kind: 'offer' | 'receipt',
  { payload, signature }: Artifact,
): Promise<string | undefined> {
  try {
    return await recoverTypedDataAddress({ ...typedData(kind, payload), signature: signature as Hex })
  } catch {
    return undefined
  }
}

/** Whether a compact JWS is signed by this Ed25519 key. */
export function isJwsBy({ kty, crv, x }: JsonWebKey, jws: string): boolean {
  const [head = '', body = '', signature = ''] = jws.split('.')
  const key = createPublicKey({ key: { ...(kty && { kty }), ...(crv && { crv }), ...(x && { x }) }, format: 'jwk' })
  return verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
}

/** What is signed, and by which key; `said` is written beside the signature instead of it. */
export type Signable = {
  readonly key: Hex
  readonly payload: Readonly<Record<string, unknown>>
  readonly said?: Readonly<Record<string, unknown>>
}

/** Signs by EIP-712. */
export async function artifactFrom(kind: 'offer' | 'receipt', { key, payload, said = payload }: Signable) {
  const signature = await privateKeyToAccount(key).signTypedData(typedData(kind, payload))
  return { format: 'eip712', payload: said, signature }
}

function typedData(kind: 'offer' | 'receipt', payload: Readonly<Record<string, unknown>>) {
  const { version, validUntil = 0, issuedAt = 0, transaction = '', ...texts } = payload
  return {
    domain: { name: `x402 ${kind}`, version: '1', chainId: 1 },
    types: { Offer: offer, Receipt: receipt },
    primaryType: kind === 'offer' ? ('Offer' as const) : ('Receipt' as const),
    // Whatever a target has put there: viem throws for what is of another type.
    message: {
      ...texts,
      version: BigInt(String(version)),
      validUntil: BigInt(String(validUntil)),
      issuedAt: BigInt(String(issuedAt)),
      transaction,
    } as never,
  }
}

const offer = [
  { name: 'version', type: 'uint256' },
  { name: 'resourceUrl', type: 'string' },
  { name: 'scheme', type: 'string' },
  { name: 'network', type: 'string' },
  { name: 'asset', type: 'string' },
  { name: 'payTo', type: 'string' },
  { name: 'amount', type: 'string' },
  { name: 'validUntil', type: 'uint256' },
] as const

const receipt = [
  { name: 'version', type: 'uint256' },
  { name: 'network', type: 'string' },
  { name: 'resourceUrl', type: 'string' },
  { name: 'payer', type: 'string' },
  { name: 'issuedAt', type: 'uint256' },
  { name: 'transaction', type: 'string' },
] as const
