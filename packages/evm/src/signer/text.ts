import type { KeyAccount } from '../account.js'
import { parseAddress, recoverAddress } from '../address.js'
import { nobleEngine } from '../crypto/noble.js'
import { personalMessage } from '../crypto/personal-message.js'
import { parseSignature } from '../crypto/signature.js'
import { formatHex, type Hex } from '../hex.js'

/**
 * Signs a text as wallets do (EIP-191), for whoever reads it: it is worth nothing on a chain.
 *
 * @example
 * const signature = await signText(privateKeyAccount(key), 'hello')
 */
export async function signText(account: KeyAccount, text: string): Promise<Hex> {
  return formatHex(await account.signDigest(digestOf(text)))
}

/**
 * Whether a text is signed by an account, by its key alone: a smart wallet's signature is read by no one but the chain.
 *
 * @example
 * isTextSignedBy('0xf39f…2266', 'hello', signature)
 */
export function isTextSignedBy(address: string, text: string, signature: string): boolean {
  const [account, bytes] = [parseAddress(address), parseSignature(signature)]
  if (account === undefined || bytes?.length !== 65) return false
  return recoverAddress(nobleEngine, digestOf(text), bytes) === account
}

const digestOf = (text: string): Uint8Array => nobleEngine.keccak256(personalMessage(text))
