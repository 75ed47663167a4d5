import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { type Address, formatAddress } from './address.js'
import { parseBase58 } from './base58.js'

/** An Ed25519 key that signs. */
export type Keypair = { readonly address: Address; readonly key: KeyObject }

/** The key pair of a secret key: base58 of 64 bytes, the seed and then the public key. */
export function parseSecretKey(secretKey: string): Keypair {
  const seed = parseBase58(secretKey)?.subarray(0, 32)
  if (seed?.length !== 32) throw new TypeError('A secret key is 64 bytes in base58.')
  return keypairFromSeed(seed)
}

/** The key pair that 32 bytes of seed lead to. */
export function keypairFromSeed(seed: Uint8Array): Keypair {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
  return { address: formatAddress(publicKey), key }
}

/** The 64 bytes of an Ed25519 signature. */
export function signBytes({ key }: Keypair, bytes: Uint8Array): Uint8Array {
  return sign(null, bytes, key)
}

// PKCS #8 of an Ed25519 key up to the seed.
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
