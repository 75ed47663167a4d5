import { personalMessage } from '@groat/evm/crypto'
import { accountSigned, type SignedBy, type VerifyTools } from '../account-signature.js'
import { formatSignIn } from './message.js'
import { type SignInProof, signatureType } from './sign-in.js'

export type { SignedBy, WalletVerifier } from '../account-signature.js'

/**
 * Who signed a proof; `undefined`: nobody who could say so. Total: whatever a stranger puts in is read without a throw, but a chain that cannot be asked
 * throws what the verifier throws.
 *
 * @example
 * await signedBy(proof, { wallets }) // 'key'
 */
export async function signedBy(proof: SignInProof, tools: VerifyTools = {}): Promise<SignedBy | undefined> {
  const { chainId: network, address, type, signature } = proof
  if (signatureType(network) !== type) return undefined
  const text = formatSignIn(proof)
  return accountSigned(
    {
      ...{ network, address, signature },
      digest: (engine) => engine.keccak256(personalMessage(text)),
      bytes: () => new TextEncoder().encode(text),
    },
    tools,
  )
}
