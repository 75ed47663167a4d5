import { type CryptoEngine, nobleEngine, parseAddress, parseSignature, recoverAddress } from '@groat/evm/crypto'
import { verifySignature } from '@groat/svm/crypto'
import { decodeBase58, parseAddress as parseSolanaAddress } from '@groat/svm/wire'
import { formatSignIn, personalMessage } from './message.js'
import { type SignInProof, signatureType } from './sign-in.js'

/** Asks contract wallets about signatures, deployed ones (ERC-1271) and others (ERC-6492): `contractWallets` of `@groat/evm/wallets`. */
export interface WalletVerifier {
  /** Whether the contract of that address takes the signature. Throws where the chain cannot be asked. */
  accepts(claim: {
    readonly network: string
    readonly address: string
    readonly digest: Uint8Array
    readonly signature: Uint8Array
  }): Promise<boolean>
}

/** Who answers for a proof: a key, on every chain of its family, or a contract, on the chain that was named. */
export type SignedBy = 'key' | 'contract'

/**
 * Who signed a proof; `undefined`: nobody who could say so. Total: whatever a stranger puts in is read without a throw, but a chain that cannot be asked
 * throws what the verifier throws.
 *
 * @example
 * await signedBy(proof, { wallets }) // 'key'
 */
export async function signedBy(
  proof: SignInProof,
  { wallets, engine = nobleEngine }: { readonly wallets?: WalletVerifier; readonly engine?: CryptoEngine } = {},
): Promise<SignedBy | undefined> {
  const { chainId: network, address, type } = proof
  if (signatureType(network) !== type) return undefined
  const text = formatSignIn(proof)
  if (type === 'ed25519') {
    const key = parseSolanaAddress(address)
    const signature = decodeBase58(proof.signature)
    if (key === undefined || signature === undefined) return undefined
    return (await verifySignature(key, signature, new TextEncoder().encode(text))) ? 'key' : undefined
  }
  const signer = parseAddress(address)
  const signature = parseSignature(proof.signature)
  if (signer === undefined || signature === undefined) return undefined
  const digest = engine.keccak256(personalMessage(text))
  if (signature.length === 65 && recoverAddress(engine, digest, signature) === signer) return 'key'
  return (await wallets?.accepts({ network, address: signer, digest, signature })) ? 'contract' : undefined
}
