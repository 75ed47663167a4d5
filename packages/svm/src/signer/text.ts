import type { SvmKeyAccount } from '../account.js'
import { verifySignature } from '../crypto/ed25519.js'
import { parseAddress } from '../wire/address.js'
import { decodeBase58, encodeBase58 } from '../wire/base58.js'

/**
 * Signs a text, for whoever reads it. Answers base58. The text is no transaction: it starts with a letter.
 *
 * @example
 * const signature = await signText(secretKeyAccount(key), 'hello')
 */
export async function signText(account: SvmKeyAccount, text: string): Promise<string> {
  return encodeBase58(await account.sign(new TextEncoder().encode(text)))
}

/**
 * Whether a text is signed by an account.
 *
 * @example
 * await isTextSignedBy(address, 'hello', signature)
 */
export async function isTextSignedBy(address: string, text: string, signature: string): Promise<boolean> {
  const [account, bytes] = [parseAddress(address), decodeBase58(signature)]
  if (account === undefined || bytes?.length !== 64) return false
  return verifySignature(account, bytes, new TextEncoder().encode(text))
}
