/**
 * Tells whether two spellings name one account: hex without regard to case, anything else exactly.
 *
 * @example
 * sameAddress('0xAB', '0xab') // true
 */
export function sameAddress(a: string, b: string): boolean {
  return a === b || canonicalAddress(a) === canonicalAddress(b)
}

/**
 * The one spelling of an address under which it is compared and hashed: hex in lower case, anything else as it is.
 *
 * @example
 * canonicalAddress('0xAB') // '0xab'
 */
export function canonicalAddress(address: string): string {
  return /^0[xX][0-9a-fA-F]+$/.test(address) ? address.toLowerCase() : address
}
