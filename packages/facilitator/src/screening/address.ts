/** Whether a text is an account's address on a chain that is settled on: EVM, or Solana (base58 of 32 bytes). */
export function isAddress(text: string): boolean {
  return /^0[xX][0-9a-fA-F]{40}$/.test(text) || isSolanaAddress(text)
}

function isSolanaAddress(text: string): boolean {
  if (!/^[1-9A-HJ-NP-Za-km-z]{32,44}$/.test(text)) return false
  const digits = text.replace(/^1+/, '')
  let value = 0n
  for (const digit of digits) value = value * 58n + BigInt(ALPHABET.indexOf(digit))
  // Every leading 1 is a byte of zero.
  const zeros = text.length - digits.length
  return zeros + (value === 0n ? 0 : Math.ceil(value.toString(16).length / 2)) === 32
}

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
