import { createPublicKey, sign, verify } from 'node:crypto'
import { type Hex, recoverMessageAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { Payer } from '../chain/rail.js'
import { formatBase58, parseBase58 } from './base58.js'
import { keypairOf } from './solana.js'

/** The members of a proof, but for its signature. */
export type Statement = Readonly<Record<string, unknown>> & {
  readonly address: string
  readonly chainId: string
  readonly type: 'eip191' | 'ed25519'
}

/** A proof: what was said, and the signature of this account. */
export async function signIn(statement: Statement, { key }: Payer): Promise<Readonly<Record<string, unknown>>> {
  const text = textOf(statement)
  if (statement.type === 'eip191')
    return { ...statement, signature: await privateKeyToAccount(key as Hex).signMessage({ message: text }) }
  const { key: signer } = keypairOf((parseBase58(key) ?? new Uint8Array(32)).subarray(0, 32))
  return { ...statement, signature: formatBase58(sign(null, Buffer.from(text), signer)) }
}

/** Whether a proof that came is signed by this account, over the text that its members make. */
export async function isSignedBy(
  { signature, ...said }: Readonly<Record<string, unknown>>,
  { address }: Payer,
): Promise<boolean> {
  const { type, chainId } = said
  if ((type !== 'eip191' && type !== 'ed25519') || typeof chainId !== 'string') return false
  const text = textOf({ ...said, type, chainId, address: String(said.address) })
  try {
    if (type === 'eip191') {
      const signer = await recoverMessageAddress({ message: text, signature: signature as Hex })
      return signer.toLowerCase() === address.toLowerCase()
    }
    const x = Buffer.from(parseBase58(address) ?? []).toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    return verify(null, Buffer.from(text), key, parseBase58(String(signature)) ?? new Uint8Array())
  } catch {
    // Whatever a client has put there.
    return false
  }
}

/** The text of EIP-4361, and of its relative on Solana. */
function textOf(statement: Statement): string {
  const { domain, address, uri, version, chainId, nonce, issuedAt, expirationTime, notBefore, requestId } = statement
  const { statement: said, resources } = statement
  const isSolana = statement.type === 'ed25519'
  const lines = [
    `${domain} wants you to sign in with your ${isSolana ? 'Solana' : 'Ethereum'} account:`,
    address,
    '',
    ...(said ? [said, ''] : isSolana ? [] : ['']),
    `URI: ${uri}`,
    `Version: ${version}`,
    `Chain ID: ${chainId.split(':')[1]}`,
    `Nonce: ${nonce}`,
    `Issued At: ${issuedAt}`,
    ...(expirationTime ? [`Expiration Time: ${expirationTime}`] : []),
    ...(notBefore ? [`Not Before: ${notBefore}`] : []),
    ...(requestId ? [`Request ID: ${requestId}`] : []),
    ...(Array.isArray(resources) && resources.length > 0
      ? ['Resources:', ...resources.map((resource) => `- ${resource}`)]
      : []),
  ]
  return lines.join('\n')
}
