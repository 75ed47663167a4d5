import { type CryptoEngine, nobleEngine, parseAddress, parseSignature, recoverAddress } from '@groat/evm/crypto'
import { verifySignature } from '@groat/svm/crypto'
import { decodeBase58, parseAddress as parseSolanaAddress } from '@groat/svm/wire'

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

/** Who answers for a signature: a key, on every chain of its family, or a contract, on the chain that was named. */
export type SignedBy = 'key' | 'contract'

/** What signatures are verified with. */
export type VerifyTools = { readonly wallets?: WalletVerifier; readonly engine?: CryptoEngine }

/** What an account is said to have signed. */
export type AccountSignature = {
  /** CAIP-2. */
  readonly network: string
  readonly address: string
  readonly signature: string
  /** The hash that an EVM account signs. */
  readonly digest: (engine: CryptoEngine) => Uint8Array
  /** The bytes that a Solana account signs. */
  readonly bytes: () => Uint8Array
}

/** Who signed; `undefined`: nobody who could say so. Total, but a chain that cannot be asked throws what the verifier throws. */
export async function accountSigned(
  { network, address, signature: text, digest: hash, bytes }: AccountSignature,
  { wallets, engine = nobleEngine }: VerifyTools = {},
): Promise<SignedBy | undefined> {
  if (network.startsWith('solana:')) {
    const key = parseSolanaAddress(address)
    const signature = decodeBase58(text)
    if (key === undefined || signature === undefined) return undefined
    return (await verifySignature(key, signature, bytes())) ? 'key' : undefined
  }
  const signer = parseAddress(address)
  const signature = parseSignature(text)
  if (!network.startsWith('eip155:') || signer === undefined || signature === undefined) return undefined
  const digest = hash(engine)
  if (signature.length === 65 && recoverAddress(engine, digest, signature) === signer) return 'key'
  return (await wallets?.accepts({ network, address: signer, digest, signature })) ? 'contract' : undefined
}
