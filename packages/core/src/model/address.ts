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

/**
 * Where a list names an account that it has named before, in whatever spelling; `undefined` where each stands there once.
 *
 * @example
 * findRepeated(['0xAB', '0xcd', '0xab']) // { first: 0, again: 2 }
 */
export function findRepeated(
  accounts: readonly string[],
): { readonly first: number; readonly again: number } | undefined {
  const places = new Map<string, number>()
  for (const [again, account] of accounts.entries()) {
    const name = canonicalAddress(account)
    const first = places.get(name)
    if (first !== undefined) return { first, again }
    places.set(name, again)
  }
  return undefined
}
