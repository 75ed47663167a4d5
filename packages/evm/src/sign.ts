import { X402Error } from '@groat/core'
import type { EvmAccount, TypedData } from './account.js'
import { parseSignature } from './crypto/signature.js'
import { formatHex, type Hex } from './hex.js'

/** One message in the two forms in which accounts take it. */
export type Signable = {
  digest(): Uint8Array
  typedData(): TypedData
}

/**
 * Has an account sign: a digest where it can, else typed data, with the last byte as contracts want it. Throws `X402Error` `signer_failed`.
 *
 * @example
 * await signWith(account, { digest: () => digest, typedData: () => typedData })
 */
export async function signWith(account: EvmAccount, message: Signable): Promise<Hex> {
  try {
    if ('signDigest' in account) return formatHex(await account.signDigest(message.digest()))
    const bytes = parseSignature(await account.signTypedData(message.typedData()))
    if (bytes === undefined) throw new TypeError('the wallet answered no signature')
    // Some wallets give the parity alone as the last byte; contracts want 27 or 28.
    const v = bytes[64]
    if (bytes.length === 65 && (v === 0 || v === 1)) bytes[64] = 27 + v
    return formatHex(bytes)
  } catch (cause) {
    // A remote signer says its own reason.
    if (X402Error.is(cause)) throw cause
    throw new X402Error('signer_failed', { payer: account.address }, { cause })
  }
}
