import { createKeyPairSignerFromBytes, getBase58Encoder } from '@solana/kit'

/** The 64 bytes of a secret key in base58. */
export const secretOf = (key) => Uint8Array.from(getBase58Encoder().encode(key))

/** A signer for a secret key in base58. */
export const signerOf = (key) => createKeyPairSignerFromBytes(secretOf(key))
